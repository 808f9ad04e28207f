/** One resource's life on a lab server as Pulumi would drive it: refreshed, checked, changed, destroyed; without the CLI. */
import assert from "node:assert/strict";
import type { Properties } from "../../provider/pulumi/engine/inputs";
import { Provider } from "../../provider/pulumi/engine/provider";
import { definitions } from "../../provider/resources";
import type { LabServer } from "../lab/server";
import { withoutSsh } from "./whole-server";

/** The provider of one step, on a lab server without SSH. */
export const labProvider = (server: LabServer, say: (line: string) => void): Provider =>
  new Provider({
    routeOf: ({ host }) => host,
    connect: async () => withoutSsh(server),
    say,
    isForgotten: () => false,
    isAdopted: () => false,
  });

export class ResourceLife {
  /** What the last up or destroy told the user. */
  said: string[] = [];
  outs: Properties = {};
  private id = "";

  constructor(
    private readonly server: LabServer,
    private readonly type: string,
    private readonly name = "any",
    /** Other resources of the stack, whose states Pulumi shows the provider first. */
    private readonly beside: readonly ResourceLife[] = [],
  ) {}

  private get definition() {
    return definitions.find(({ type }) => type === this.type)!;
  }

  private provider(): Provider {
    return labProvider(this.server, (line) => this.said.push(line));
  }

  /** What a preview would show of it: its settings, and what is pending. */
  async refresh(engine = this.provider()): Promise<Properties> {
    this.outs = (await engine.read(this.definition, this.id, this.outs)).props;
    return this.outs;
  }

  async up(given: Properties): Promise<void> {
    this.said = [];
    const engine = this.provider();
    for (const { definition, outs } of this.beside) engine.diff(definition, outs, outs);
    const args = {
      connection: { host: this.server.name },
      stack: "organization/test/any",
      name: this.name,
      ...given,
    };
    if (this.id) await this.refresh(engine);
    const { inputs, failures } = await engine.check(this.definition, this.outs, args);
    assert.deepEqual(failures, []);
    if (this.id) {
      if (engine.diff(this.definition, this.outs, inputs).changes === false) return;
      this.outs = (await engine.update(this.definition, this.id, this.outs, inputs)).outs;
    } else {
      ({ id: this.id, outs: this.outs } = await engine.create(this.definition, inputs));
    }
  }

  async destroy(): Promise<void> {
    this.said = [];
    await this.provider().delete(this.definition, this.id, this.outs);
    this.id = "";
    this.outs = {};
  }
}
