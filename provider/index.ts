import "./node-version";

export type { ConnectionArgs, UploadsArgs } from "./pulumi/program/arguments";
export * from "./pulumi/program/classes";
export { type Sizes, SizingError, sizing } from "./sizing";
