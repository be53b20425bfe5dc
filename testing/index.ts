// For property tests of code that computes with tensors: arbitraries for fast-check (an optional peer dependency), and
// the judges that go with them. `gradcheck` and `gradgradcheck` are in "sluice".

export { type Pairing, pairings } from "./pairing.ts";
export { inputsOf, type Program, type ProgramOptions, play, programs, type Value } from "./programs/index.ts";
export { cook, type Recipe, recipes } from "./recipes.ts";
export { type Bounded, functionUlps, roundingBounds } from "./rounding/index.ts";
export { broadcastPartners, type ShapeOptions, shapes, sides } from "./shapes.ts";
export { type Training, type TrainingOptions, train, trainings } from "./training.ts";
export { anyFloat, type Domain, dtypeOf, dtypes, seeds, specialValues, tensorOf, valuesOf } from "./values.ts";
export { type View, type ViewOptions, views } from "./views.ts";
