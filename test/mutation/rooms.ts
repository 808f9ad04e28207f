/** What is mutated, and the tests that shall notice it: the unit tests of the same room. */

export interface Room {
  readonly name: string;
  readonly files: readonly string[];
  /** In this order: the first failure ends them, so the quickest one comes first. */
  readonly tests: readonly string[];
}

const under = (folder: string, ...names: readonly string[]): string[] => names.map((name) => `${folder}/${name}`);

const LIMITS_TESTS = under(
  "test/services/kernel",
  "limits.test.ts",
  "limits-line.test.ts",
  "limits-places.test.ts",
  "limits.properties.test.ts",
);
const SYSCTL_TESTS = under(
  "test/services/kernel",
  "sysctl.test.ts",
  "sysctl-statement.test.ts",
  "sysctl-places.test.ts",
  "sysctl.properties.test.ts",
);

export const ROOMS: readonly Room[] = [
  { name: "sizing", files: ["provider/sizing.ts"], tests: ["test/sizing.test.ts"] },
  { name: "capacity", files: ["provider/resources/capacity.ts"], tests: ["test/resources/capacity.test.ts"] },
  {
    name: "pool",
    files: ["provider/resources/pool.ts"],
    tests: ["test/resources/pool.test.ts", "test/transaction/plan.test.ts"],
  },
  {
    name: "ownership",
    files: under("provider/transaction", "ownership.ts", "record.ts"),
    tests: under("test/transaction", "record-after.test.ts", "record.test.ts", "ownership.test.ts"),
  },
  {
    name: "plan",
    files: under("provider/transaction", "plan.ts", "target.ts"),
    tests: under("test/transaction", "plan-of-places.test.ts", "target.test.ts", "plan.test.ts"),
  },
  {
    name: "arguments",
    files: under(
      "provider/resources",
      "compose.ts",
      "definition.ts",
      "lowered.ts",
      "restart-window.ts",
      "units.ts",
      "wapt-server.ts",
    ),
    tests: under(
      "test/resources",
      "units.test.ts",
      "lowered.test.ts",
      "restart-window.test.ts",
      "compose.test.ts",
      "definition.test.ts",
    ),
  },
  {
    name: "resources",
    files: under(
      "provider/resources",
      "kernel-limits.ts",
      "nginx-tuning.ts",
      "postgres-connections.ts",
      "proxy-temp-path.ts",
      "waptserver-ini.ts",
    ),
    tests: under("test/resources", "targets.test.ts", "definition.test.ts"),
  },
  ...["blanks", "conf-folders", "harmless", "lines", "nearest", "shell", "wildcards"].map((name) => ({
    name: "text",
    files: [`provider/text/${name}.ts`],
    tests: [`test/text/${name}.test.ts`],
  })),
  {
    name: "text",
    files: under("provider/text", "draft.ts", "splices.ts"),
    tests: under("test/text", "splices.test.ts", "draft.test.ts"),
  },
  {
    name: "line-format",
    files: under("provider/text", "format.ts", "line-format.ts"),
    tests: [...LIMITS_TESTS, ...SYSCTL_TESTS],
  },
  {
    name: "limits",
    files: under("provider/services/kernel", "limits-line.ts", "limits.ts"),
    tests: LIMITS_TESTS,
  },
  {
    name: "sysctl",
    files: under("provider/services/kernel", "sysctl-statement.ts", "sysctl.ts"),
    tests: SYSCTL_TESTS,
  },
  {
    name: "nginx",
    files: under("provider/services/nginx", "directive.ts", "nginx-conf.ts", "splice.ts", "tokenizer.ts"),
    tests: under(
      "test/services/nginx",
      "tokenizer.test.ts",
      "nginx-conf.test.ts",
      "backlog.test.ts",
      "nginx-conf.properties.test.ts",
    ),
  },
  {
    name: "postgresql",
    files: under("provider/services/postgresql", "postgresql-conf.ts", "scanner.ts"),
    tests: under("test/services/postgresql", "postgresql-conf.test.ts"),
  },
  {
    name: "systemd",
    files: ["provider/services/systemd/drop-in.ts"],
    tests: ["test/services/systemd/drop-in.test.ts"],
  },
  {
    name: "wapt",
    files: under("provider/services/wapt", "ini-parser.ts", "ini.ts"),
    tests: ["test/services/wapt/ini.test.ts"],
  },
];
