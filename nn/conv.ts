// Convolutions as modules, and their transposes: weights and initial values as in PyTorch.

import {
  conv1d,
  conv2d,
  convTranspose1d,
  convTranspose2d,
  type DType,
  type Padding,
  type PerAxis,
  type Tensor,
} from "../engine/index.ts";
import { checkDivides, checkSizes } from "./checks.ts";
import { type Initializer, uniform } from "./init.ts";
import { Module } from "./module.ts";
import { parameter } from "./parameter.ts";

export interface ConvModuleOptions {
  /** Default 1. */
  readonly stride?: PerAxis;
  /** Zeros around; "same", "causal" (none after), or numbers. Default 0. */
  readonly padding?: Padding;
  /** Default 1. */
  readonly dilation?: PerAxis;
  /** Groups of channels that know nothing of each other; as many as channels: depthwise. Default 1. */
  readonly groups?: number;
  /** Whether to add a bias; default true. */
  readonly bias?: boolean;
  /** Default: uniform in +-1/sqrt(fan in), as in PyTorch; the bias likewise. */
  readonly weightInit?: Initializer;
  readonly biasInit?: Initializer;
  readonly dtype?: DType;
}

export interface ConvTransposeModuleOptions extends Omit<ConvModuleOptions, "padding"> {
  /** Of the convolution this is the transpose of; default 0. */
  readonly padding?: number | readonly (number | readonly [number, number])[];
  /** Elements added after each side of the result, less than the stride; default 0. */
  readonly outputPadding?: PerAxis;
}

/** What all four share: a weight [first, second / groups, ...kernel] and a bias [out]. */
abstract class Convolution<Options extends ConvModuleOptions | ConvTransposeModuleOptions> extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
  protected readonly options: Options;

  constructor(
    name: string,
    axes: number,
    [input, output]: readonly [number, number],
    [first, second]: readonly [number, number],
    kernel: PerAxis,
    options: Options,
  ) {
    super();
    const { groups = 1, bias = true, dtype } = options;
    const taps = typeof kernel === "number" ? new Array<number>(axes).fill(kernel) : [...kernel];
    checkSizes(name, { input, output, groups });
    checkSizes(name, taps);
    checkDivides(name, "groups of input channels", groups, input);
    checkDivides(name, "groups of output channels", groups, output);
    const shape = [first, second / groups, ...taps];
    const fanIn = shape.slice(1).reduce((product, side) => product * side, 1);
    const standard = uniform(-1 / Math.sqrt(fanIn), 1 / Math.sqrt(fanIn));
    this.weight = parameter(shape, options.weightInit ?? standard, { dtype });
    this.bias = bias ? parameter([output], options.biasInit ?? standard, { dtype }) : undefined;
    this.options = options;
  }

  /** The options as the operation takes them. */
  protected get geometry(): Omit<Options, "bias"> & { readonly bias?: Tensor } {
    return { ...this.options, bias: this.bias };
  }
}

/** x [N, in, L] -> [N, out, L']; weight [out, in / groups, kernel], bias [out]. See `conv1d`. */
export class Conv1d extends Convolution<ConvModuleOptions> {
  constructor(input: number, output: number, kernel: PerAxis, options: ConvModuleOptions = {}) {
    super("Conv1d", 1, [input, output], [output, input], kernel, options);
  }

  override forward(x: Tensor): Tensor {
    return conv1d(x, this.weight, this.geometry);
  }
}

/** x [N, in, H, W] -> [N, out, H', W']; weight [out, in / groups, ...kernel], bias [out]. See `conv2d`. */
export class Conv2d extends Convolution<ConvModuleOptions> {
  constructor(input: number, output: number, kernel: PerAxis, options: ConvModuleOptions = {}) {
    super("Conv2d", 2, [input, output], [output, input], kernel, options);
  }

  override forward(x: Tensor): Tensor {
    return conv2d(x, this.weight, this.geometry);
  }
}

/** x [N, in, L] -> [N, out, L']; weight [in, out / groups, kernel], bias [out]. See `convTranspose1d`. */
export class ConvTranspose1d extends Convolution<ConvTransposeModuleOptions> {
  constructor(input: number, output: number, kernel: PerAxis, options: ConvTransposeModuleOptions = {}) {
    super("ConvTranspose1d", 1, [input, output], [input, output], kernel, options);
  }

  override forward(x: Tensor): Tensor {
    return convTranspose1d(x, this.weight, this.geometry);
  }
}

/** x [N, in, H, W] -> [N, out, H', W']; weight [in, out / groups, ...kernel], bias [out]. See `convTranspose2d`. */
export class ConvTranspose2d extends Convolution<ConvTransposeModuleOptions> {
  constructor(input: number, output: number, kernel: PerAxis, options: ConvTransposeModuleOptions = {}) {
    super("ConvTranspose2d", 2, [input, output], [input, output], kernel, options);
  }

  override forward(x: Tensor): Tensor {
    return convTranspose2d(x, this.weight, this.geometry);
  }
}
