export type { ConnectionArgs, UploadsArgs } from "./pulumi/program/arguments";
export * from "./pulumi/program/resources";
export { type Sizes, SizingError, sizing } from "./sizing";
