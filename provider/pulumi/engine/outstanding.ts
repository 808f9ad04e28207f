/**
 * What the engine has still to ask for, server by server. It sends no more changes at a time than `--parallel` says, by
 * default four a processor: those of one server may come in parts, of which the first must not restart what the next
 * one restarts again.
 */
export class Outstanding {
  /** By server, then by the resource's type, whether its change is still to come. */
  private readonly servers = new Map<string, Map<string, boolean>>();

  /** A resource that exists, or whose change was checked. */
  expect(server: string, type: string): void {
    this.note(server, type, true);
  }

  /** One whose change has come, or that has none. */
  settle(server: string, type: string): void {
    this.note(server, type, false);
  }

  /** Whether any change of the server is to come. */
  has(server: string): boolean {
    return [...(this.servers.get(server)?.values() ?? [])].includes(true);
  }

  /** Whether one of these types is to come, or was not seen at all yet. */
  hasOf(server: string, types: readonly string[]): boolean {
    return types.some((type) => this.servers.get(server)?.get(type) !== false);
  }

  private note(server: string, type: string, isDue: boolean): void {
    const seen = this.servers.get(server) ?? new Map<string, boolean>();
    this.servers.set(server, seen.set(type, isDue));
  }
}
