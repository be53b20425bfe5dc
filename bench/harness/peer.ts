// The measuring side of one implementation: a process that is asked one thing at a time, and stopped in between.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Duplex } from "node:stream";
import type { Reply, Request } from "./protocol.ts";

/** An implementation: how its process is started and how it takes part in comparisons. */
export interface Contender {
  readonly name: string;
  readonly kind: "ours" | "javascript" | "native" | "ceiling";
  readonly threads: number;
  readonly command: readonly string[];
}

/** Processes that still run: a stopped one would outlive the benchmark. */
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));

export class Peer {
  readonly contender: Contender;
  version = "";
  private readonly child: ChildProcess;
  private readonly replies: AsyncIterator<string>;
  private readonly socket: Duplex;
  private errors = "";

  private constructor(contender: Contender) {
    this.contender = contender;
    const [file, ...args] = contender.command;
    this.child = spawn(file, args, { stdio: ["ignore", "ignore", "pipe", "pipe"] });
    running.add(this.child);
    this.child.on("exit", () => running.delete(this.child));
    this.child.stderr?.on("data", (chunk: Buffer) => {
      this.errors = (this.errors + chunk).slice(-2000);
    });
    this.socket = this.child.stdio[3] as Duplex;
    this.socket.on("error", () => undefined);
    this.replies = createInterface({ input: this.socket })[Symbol.asyncIterator]();
  }

  /** Starts the process; undefined with a reason where it does not come up (a library is missing). */
  static async start(contender: Contender): Promise<Peer | string> {
    const peer = new Peer(contender);
    const spawned = await Promise.race([once(peer.child, "spawn"), once(peer.child, "error")]);
    if (spawned[0] instanceof Error) return spawned[0].message;
    const hello = await peer.reply(60_000);
    if (hello.is !== "hello") {
      peer.stop();
      return hello.is === "failed" ? hello.reason : "no greeting";
    }
    peer.version = hello.version;
    return peer;
  }

  /** Asks and waits. The process runs only meanwhile: threads that spin cannot disturb the others. */
  async ask(request: Request, limitMs: number): Promise<Reply> {
    this.child.kill("SIGCONT");
    this.socket.write(`${JSON.stringify(request)}\n`);
    const reply = await this.reply(limitMs);
    this.child.kill("SIGSTOP");
    return reply;
  }

  private async reply(limitMs: number): Promise<Reply> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Reply>((resolve) => {
      const reason = `no answer within ${limitMs / 1000} s`;
      timer = setTimeout(() => resolve({ is: "failed", reason }), limitMs);
    });
    const line = this.replies.next().then(({ value, done }): Reply => {
      if (done !== true) return JSON.parse(value) as Reply;
      const said = this.errors.split("\n").filter((text) => /error/i.test(text))[0];
      return { is: "failed", reason: said ?? "the process ended" };
    });
    const reply = await Promise.race([line, late]);
    clearTimeout(timer);
    return reply;
  }

  stop(): void {
    this.socket.destroy();
    this.child.kill("SIGKILL");
  }
}
