// SIGMA (Liu et al., AAAI 2025), reproduced at a small scale: five tasks, ten claims.

import type { Paper, Trial } from "../paper.ts";
import { claims } from "./claims.ts";
import { configs, type SigmaPaperConfig, seeds, taskNames } from "./config.ts";
import { describePublished } from "./describe.ts";
import { runEarlyKey } from "./early-key-task.ts";
import { figures } from "./figures.ts";
import { runFixedCut } from "./fixed-cut-task.ts";
import type { LogName } from "./logs.ts";
import { plan } from "./plan.ts";
import { logOf, sessionsOf } from "./sequence-data.ts";
import { runSequences } from "./sequence-task.ts";
import { runTime } from "./time-task.ts";

export * from "./model/index.ts";

export const sigma: Paper<SigmaPaperConfig> = {
  name: "sigma",
  title: "SIGMA: Selective Gated Mamba for Sequential Recommendation",
  citation: {
    authors:
      "Ziwei Liu, Qidong Liu, Yejing Wang, Wanyu Wang, Pengyue Jia, Maolin Wang, Zitao Liu, Yi Chang, Xiangyu Zhao",
    venue: "AAAI",
    year: 2025,
    url: "https://arxiv.org/abs/2408.11451",
  },
  summary:
    "Mamba reads a user's history from left to right in linear time; SIGMA runs it a second time on a copy whose early part is " +
    "reversed, gates both readings by channel, and adds a GRU for short patterns. Here: a probe of what the flip can see, " +
    "recommendation on generated sessions and on two real logs beside popularity and Markov counts, and time against length.",
  data: [
    {
      name: "EarlyKey-v1",
      detail: "generated: 3,000 training and 600 test sequences in which only the first of 15 to 30 items matters",
    },
    {
      name: "LongShort-v1",
      detail:
        "generated: sessions of 5 to 40 items of 1,500 users over 200 items; next items follow the last two, the user's cluster or popularity",
      substituteFor: "Beauty, Sports, Games, Yelp and Fashion, which cannot be had here",
    },
    {
      name: "MovieLens latest-small (October 2016)",
      detail:
        "real: 670 users, 2,245 movies, 81,906 actions after dropping users and movies with fewer than 10; from Debian's r-cran-dslabs 0.7.4, " +
        "under the conditions of GroupLens (data/NOTICE.md)",
      substituteFor: "MovieLens-1M",
    },
    {
      name: "ChangeLogs of glibc, 1991 to 2022",
      detail:
        "real: 2,580 working sessions over 3,157 files, 72,234 touches; from Debian's glibc-doc 2.36 (LGPL 2.1 or later). " +
        "Within a day the order is that of the ChangeLog's text",
    },
  ],
  configs,
  seeds,
  claims,
  plan,
  async run(trial, { config }) {
    switch (trial.task) {
      case taskNames.earlyKey:
        return runEarlyKey(trial, config.earlyKey);
      case taskNames.sessions:
        return runSequences(trial, config.sessions, sessionsOf(trial.seed, config.sessions.users));
      case taskNames.changelogs:
        return runLog(trial, "changelogs", config);
      case taskNames.movielens:
        return runLog(trial, "movielens", config);
      case taskNames.fixedCut:
        return runFixedCut(trial, config.fixedCut);
      default:
        return runTime(trial, config.time);
    }
  },
  figures,
  describe: describePublished,
};

async function runLog(trial: Trial, log: LogName, { logs }: SigmaPaperConfig): Promise<void> {
  const config = logs[log];
  if (config === undefined) throw new Error(`a trial of ${log} was planned without its settings`);
  return runSequences(trial, config, await logOf(log));
}

export default sigma;
