/**
 * The provider that Pulumi keeps in the state of each resource, as the text of a module: as small as can be, the same for
 * ever. It is written here and not serialized from functions: that would load a compiler into each program, and its
 * text would change with the versions of Pulumi and of Node.js.
 */

/** The methods of `pulumi.dynamic.ResourceProvider`; each imports by name, in the process that Pulumi starts for it. */
const PROVIDER = `exports.handler = () => {
  const runtime = () => import("pulumi-wapt/runtime");
  const type = TYPE;
  return {
    configure: async (request) => (await runtime()).configure((key) => request.config.get(key)),
    check: async (olds, news) => (await runtime()).check(type, olds, news),
    diff: async (id, olds, news) => (await runtime()).diff(type, id, olds, news),
    create: async (inputs) => (await runtime()).create(type, inputs),
    update: async (id, olds, news) => (await runtime()).update(type, id, olds, news),
    read: async (id, props) => (await runtime()).read(type, id, props),
    delete: async (id, props) => (await runtime()).remove(type, id, props),
  };
};
`;

/** The provider of a resource's type, as what `pulumi.dynamic.Resource` gives a resource under the name `__provider`. */
export const shim = (type: string): string => PROVIDER.replace("TYPE", JSON.stringify(type));
