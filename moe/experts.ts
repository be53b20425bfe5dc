// Experts: networks of one shape, run all together on every sample, or one of them on some.

import { ArgumentError, type DType, formatShape, type Shape, ShapeError, stack, type Tensor } from "../engine/index.ts";
import { type Initializer, init, Module, parameter } from "../nn/index.ts";

/** What a mixture asks of its experts. */
export abstract class Experts extends Module {
  abstract readonly nExperts: number;
  /** All experts on all samples: x [B, ...] -> [n, B, out]. */
  abstract override forward(x: Tensor): Tensor;
  /** Expert `index` alone: x [B, ...] -> [B, out]. */
  abstract one(index: number, x: Tensor): Tensor;
}

export interface MLPExpertsConfig {
  readonly nExperts: number;
  /** Widths from the input to the output, such as [24, 32, 8]. */
  readonly sizes: readonly number[];
  /** Whether the layers have biases, which start at 0; default true. */
  readonly bias?: boolean;
  /** Between layers; default relu. */
  readonly activation?: (x: Tensor) => Tensor;
  /** Whether the activation follows the last layer too; default false. */
  readonly activateLast?: boolean;
  /** How each layer's weights start, by its position; default: normal with variance 2 / fan in before a ReLU, 1 / fan in else. */
  readonly weightInit?: (layer: number) => Initializer;
  readonly dtype?: DType;
}

/** n multilayer perceptrons with stacked weights: a layer is one batched matrix product for all experts. */
export class MLPExperts extends Experts {
  override readonly nExperts: number;
  readonly sizes: readonly number[];
  readonly activateLast: boolean;
  readonly activation: (x: Tensor) => Tensor;
  readonly layers: readonly StackedLinear[];

  constructor(config: MLPExpertsConfig) {
    super();
    const { nExperts, sizes, bias = true, activation = (x) => x.relu(), activateLast = false, dtype } = config;
    if (!Number.isInteger(nExperts) || nExperts < 1 || sizes.length < 2) {
      throw new ArgumentError("MLPExperts", `needs an expert and two sizes, got ${nExperts} and [${sizes.join(", ")}]`);
    }
    this.nExperts = nExperts;
    this.sizes = sizes;
    this.activation = activation;
    this.activateLast = activateLast;
    const standard = (layer: number): Initializer =>
      init.kaimingNormal(sizes[layer], layer < sizes.length - 2 || activateLast ? Math.SQRT2 : 1);
    const weightInit = config.weightInit ?? standard;
    this.layers = sizes
      .slice(1)
      .map((out, i) => new StackedLinear(nExperts, sizes[i], out, weightInit(i), bias, dtype));
  }

  /** The shapes of all parameters. */
  static shapes({ nExperts: n, sizes, bias = true }: Pick<MLPExpertsConfig, "nExperts" | "sizes" | "bias">) {
    const shapes: Record<string, Shape> = {};
    sizes.slice(1).forEach((out, i) => {
      shapes[`layers.${i}.weight`] = [n, sizes[i], out];
      if (bias) shapes[`layers.${i}.bias`] = [n, out];
    });
    return shapes;
  }

  override forward(x: Tensor): Tensor {
    this.#check(x);
    return this.#through(x, (layer, value) => layer.forward(value));
  }

  override one(index: number, x: Tensor): Tensor {
    this.#check(x);
    return this.#through(x, (layer, value) => layer.one(index, value));
  }

  #through(x: Tensor, run: (layer: StackedLinear, value: Tensor) => Tensor): Tensor {
    return this.layers.reduce((value, layer, i) => {
      const y = run(layer, value);
      return i < this.layers.length - 1 || this.activateLast ? this.activation(y) : y;
    }, x);
  }

  #check(x: Tensor): void {
    if (x.rank !== 2 || x.shape[1] !== this.sizes[0]) {
      throw new ShapeError("MLPExperts", `needs x [B, ${this.sizes[0]}], got ${formatShape(x.shape)}`);
    }
  }
}

/** One linear layer of each of n networks; weight [n, in, out], bias [n, out]. */
class StackedLinear extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;

  constructor(n: number, inDim: number, outDim: number, weightInit: Initializer, bias: boolean, dtype?: DType) {
    super();
    this.weight = parameter([n, inDim, outDim], weightInit, { dtype });
    this.bias = bias ? parameter([n, outDim], init.zeros, { dtype }) : undefined;
  }

  /** x [B, in], the same for all, or [n, B, in] -> [n, B, out]. */
  override forward(x: Tensor): Tensor {
    const y = (x.rank === 2 ? x.unsqueeze(0) : x).matmul(this.weight);
    return this.bias === undefined ? y : y.add(this.bias.unsqueeze(1));
  }

  /** x [B, in] -> [B, out] by network `index`. */
  one(index: number, x: Tensor): Tensor {
    const y = x.matmul(this.weight.select(0, index));
    return this.bias === undefined ? y : y.add(this.bias.select(0, index));
  }
}

/** Any modules x [B, ...] -> [B, out] as experts; they run one after the other. */
export class ExpertList extends Experts {
  readonly items: readonly Module[];

  constructor(items: readonly Module[]) {
    super();
    if (items.length === 0) throw new ArgumentError("ExpertList", "needs at least one expert");
    this.items = items;
  }

  override get nExperts(): number {
    return this.items.length;
  }

  override fields(): [string, Module][] {
    return this.items.map((item, i) => [String(i), item]);
  }

  override forward(x: Tensor): Tensor {
    return stack(
      this.items.map((item) => item.forward(x)),
      0,
    );
  }

  override one(index: number, x: Tensor): Tensor {
    return this.items[index].forward(x);
  }
}
