// The floor plan: a file imports only from its own floor or from floors below, and no import goes in a circle.
// To move a room to another floor, change this table; to add one, add a row.

const rooms = [
  { floor: 1, name: "values", path: "^engine/(dtype|shape|operation|errors|random)\\.ts$" },
  { floor: 2, name: "graph", path: "^engine/graph(/|\\.ts$)" },
  { floor: 3, name: "primitives", path: "^engine/primitives(/|\\.ts$)" },
  { floor: 4, name: "autograd and compile", path: "^engine/(autograd|compile)/" },
  { floor: 5, name: "backends", path: "^engine/backends/" },
  { floor: 6, name: "runtime", path: "^engine/runtime(/|\\.ts$)" },
  {
    floor: 7,
    name: "tensor, ops, io",
    path: "^engine/((ops|io|tensor)/|(?!(dtype|shape|operation|errors|random|graph|primitives|runtime)\\.ts$)[^/]+\\.ts$)",
  },
  { floor: 8, name: "nn", path: "^nn/" },
  { floor: 9, name: "moe", path: "^moe/" },
  { floor: 10, name: "papers", path: "^papers/" },
  { floor: 11, name: "testing", path: "^testing/" },
  { floor: 12, name: "bench, scripts and tests", path: "^(bench|scripts|test)/" },
];

const floorRules = rooms.slice(0, -1).map(({ floor, name, path }) => ({
  name: `floor-${floor}-imports-only-downwards`,
  comment: `${name} may import only from its own floor and the floors below`,
  severity: "error",
  from: { path },
  to: { path: rooms.filter((room) => room.floor > floor).map((room) => room.path) },
}));

export default {
  forbidden: [
    ...floorRules,
    { name: "no-circles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "every-engine-file-has-a-floor",
      comment: "add the new room to the table in .dependency-cruiser.mjs",
      severity: "error",
      from: {},
      to: { path: "^engine/", pathNot: rooms.map((room) => room.path) },
    },
    {
      name: "every-importing-engine-file-has-a-floor",
      severity: "error",
      from: { path: "^engine/", pathNot: rooms.map((room) => room.path) },
      to: {},
    },
    {
      name: "backends-stay-apart",
      comment: "a backend never imports another backend",
      severity: "error",
      from: { path: "^engine/backends/([^/]+)/" },
      to: { path: "^engine/backends/[^/]+/", pathNot: "^engine/backends/$1/" },
    },
    {
      name: "backends-know-the-IR-only",
      comment: "a code generator gets a program, never the graph it came from; only the oracle evaluates graphs",
      severity: "error",
      from: { path: "^engine/backends/[^/]+/", pathNot: "^engine/backends/(reference/|[^/]+/index\\.ts$)" },
      to: { path: "^engine/graph/(node|traverse)\\.ts$" },
    },
    {
      name: "no-runtime-dependencies",
      comment:
        "engine, nn and moe use no npm package; only the gpu backend may load gpu.js, when it is chosen, and the ONNX " +
        "reader protobufjs, when it reads",
      severity: "error",
      from: { path: "^(engine|nn|moe)/", pathNot: "^engine/(backends/gpu/|io/onnx/schema\\.ts$)" },
      to: {
        dependencyTypes: ["npm", "npm-dev", "npm-optional", "npm-peer", "npm-no-pkg", "npm-unknown", "npm-bundled"],
      },
    },
    {
      name: "gpu-backend-loads-gpu.js-only",
      severity: "error",
      from: { path: "^engine/backends/gpu/" },
      to: {
        dependencyTypes: ["npm", "npm-dev", "npm-optional", "npm-peer", "npm-no-pkg", "npm-unknown", "npm-bundled"],
        pathNot: "^node_modules/(gpu\\.js|webgpu)/",
      },
    },
    {
      name: "optional-peers-are-loaded-late",
      comment: "import optional peers dynamically (type imports are free), so that the engine works without them",
      severity: "error",
      from: { path: "^engine/" },
      to: {
        path: "^node_modules/(gpu\\.js|webgpu|protobufjs)/",
        dependencyTypesNot: ["dynamic-import", "type-only", "type-import"],
      },
    },
    {
      name: "onnx-reader-loads-protobufjs-only",
      severity: "error",
      from: { path: "^engine/io/onnx/schema\\.ts$" },
      to: {
        dependencyTypes: ["npm", "npm-dev", "npm-optional", "npm-peer", "npm-no-pkg", "npm-unknown", "npm-bundled"],
        pathNot: "^node_modules/protobufjs/",
      },
    },
    {
      name: "the-engine-without-onnx",
      comment: "the ONNX reader has an export of its own: nothing of the engine may pull it in",
      severity: "error",
      from: { path: "^(engine|nn|moe)/", pathNot: "^engine/io/onnx/" },
      to: { path: "^engine/io/onnx/" },
    },
    {
      name: "papers-stay-apart",
      comment: "a paper never imports another paper: what two of them need belongs to nn, moe or papers/*.ts",
      severity: "error",
      from: { path: "^papers/([^/]+)/", pathNot: "^papers/report/" },
      to: { path: "^papers/[^/]+/", pathNot: ["^papers/$1/", "^papers/report/"] },
    },
    {
      name: "testing-knows-no-papers",
      comment: "what users test with is about the engine, nn and moe; its one package is fast-check",
      severity: "error",
      from: { path: "^testing/" },
      to: { path: ["^papers/", "^node_modules/(?!fast-check/)"] },
    },
    { name: "no-unresolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(bench/peers|scripts/stubs|dist|coverage|reports)/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    combinedDependencies: false,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "types", "node", "default"] },
  },
};
