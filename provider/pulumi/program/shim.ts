/** The provider that Pulumi serializes into the state of each resource: as small as can be, the same for ever. */
import type { dynamic } from "@pulumi/pulumi";

/** The provider of a resource's type. */
export function shim(type: string): dynamic.ResourceProvider {
  const known = shims.get(type) ?? newShim(type);
  shims.set(type, known);
  return known;
}

/** Pulumi serializes each provider once. */
const shims = new Map<string, dynamic.ResourceProvider>();

// Each method imports by name: a captured module would be serialized whole, and every upgrade would change every
// resource. Only the type's name is captured.
function newShim(type: string): dynamic.ResourceProvider {
  return {
    configure: async (request) => (await import("pulumi-wapt/runtime")).configure((key) => request.config.get(key)),
    check: async (olds, news) => (await import("pulumi-wapt/runtime")).check(type, olds, news),
    diff: async (id, olds, news) => (await import("pulumi-wapt/runtime")).diff(type, id, olds, news),
    create: async (inputs) => (await import("pulumi-wapt/runtime")).create(type, inputs),
    update: async (id, olds, news) => (await import("pulumi-wapt/runtime")).update(type, id, olds, news),
    read: async (id, props) => (await import("pulumi-wapt/runtime")).read(type, id, props),
    delete: async (id, props) => (await import("pulumi-wapt/runtime")).remove(type, id, props),
  };
}
