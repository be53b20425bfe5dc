// Modules, losses, optimizers and initialisers on the tensor engine.

export * from "./activations.ts";
export * from "./containers.ts";
export * from "./dropout.ts";
export * from "./embedding.ts";
export type { Fans, Initializer } from "./init.ts";
export * as init from "./init.ts";
export * from "./linear.ts";
export * from "./losses.ts";
export { type AnyModule, Module, withParameters } from "./module.ts";
export { Adam, type AdamOptions, AdamW } from "./optim/adam.ts";
export { Optimizer, type Update } from "./optim/optimizer.ts";
export { SGD, type SGDOptions } from "./optim/sgd.ts";
export { buffer, countOf, type ParameterOptions, parameter, type Role, roleOf } from "./parameter.ts";
export { Stream } from "./stream.ts";
