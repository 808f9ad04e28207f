/** docs/troubleshooting.md: what each kind of refusal and warning means, and the messages of it that stand in the sources. */
import { type Message, messages } from "./messages";

interface Topic {
  readonly title: string;
  /** What it means, and what to do. */
  readonly text: string;
  /** Beginnings of the files whose messages are of this kind; the first topic that has one counts. */
  readonly files: readonly string[];
}

const TOPICS: readonly Topic[] = [
  {
    title: "An argument or a key is wrong",
    text: "Nothing was contacted. The program or the stack's configuration has a value that can't be, a name that does not exist, or two values that do not go together. Correct the one that is named. `npx pulumi-wapt sizing CLIENTS` prints the values that go together.",
    files: [
      "provider/resources/definition",
      "provider/resources/compose",
      "provider/resources/restart-window",
      "provider/sizing",
      "provider/site",
      "provider/ssh/connection",
    ],
  },
  {
    title: "The server's host key",
    text: "The connection was not used, since another machine could have answered. Log in to the server's console, read its key there as the message says, and compare. Only when it is the same, add it to known_hosts or give `hostKey`.",
    files: ["provider/ssh/host-key", "provider/ssh/revoked-keys"],
  },
  {
    title: "The server can't be reached, or refuses the login",
    text: "Nothing was changed. Try `ssh HOST true` with the same user on the machine that runs Pulumi: what `ssh` can't do, this can't do either. [ssh.md](ssh.md) says what is used of ssh's configuration. A server that is down is a warning in a preview; the others go on.",
    files: ["provider/ssh/"],
  },
  {
    title: "Somebody else owns the setting",
    text: "One server has one owner, so that two programs do not undo each other's values at each run. Remove the server from one of them. [concepts.md](concepts.md#one-owner) says how ownership passes on.",
    files: [
      "provider/transaction/ownership",
      "provider/transaction/record",
      "provider/transaction/removal",
      "provider/pulumi/engine/rivals",
    ],
  },
  {
    title: "Uploads: their folder and its space",
    text: "The folder would not work, or belongs to something else. Choose a folder that is new or empty, on a partition with space, where nginx's user can get to. A unit may hide it: `systemctl cat nginx` shows that.",
    files: [
      "provider/services/uploads/",
      "provider/services/nginx/uploads",
      "provider/resources/proxy-temp-path",
      "provider/transaction/folders",
    ],
  },
  {
    title: "Kernel and limits of open files",
    text: "A limit would be written and would not be true. In a container only its host can raise it. Elsewhere another line or a drop-in decides, which the message names.",
    files: ["provider/services/kernel/", "provider/resources/kernel-limits"],
  },
  {
    title: "nginx",
    text: "`nginx -t` says on the server what nginx thinks of its files. A warning of the preflight is about speed, not about right or wrong: put it right on the server, or accept it by `accept`.",
    files: ["provider/services/nginx/", "provider/services/selinux/"],
  },
  {
    title: "PostgreSQL and the pool",
    text: "PostgreSQL must give at least the connections of WAPT's pool and must start again after its restart. `pg_lsclusters` shows on Debian which clusters there are, `SHOW max_connections` what runs.",
    files: ["provider/services/postgresql/", "provider/resources/pool", "provider/resources/postgres-connections"],
  },
  {
    title: "The server's size, and values that a run would lower",
    text: "A storm, all PCs coming back at once, fills WAPT's pool, and each of its connections takes memory of PostgreSQL. Give the server more, or a smaller pool. What a server has beyond its clients' need is kept by the argument that the message names. `accept` silences what you know.",
    files: ["provider/resources/capacity", "provider/resources/lowered"],
  },
  {
    title: "WAPT",
    text: "WAPT would not take the values, or is not started by its units. `systemctl status waptserver wapttasks` shows what runs.",
    files: ["provider/services/wapt/", "provider/resources/waptserver-ini", "provider/resources/units"],
  },
  {
    title: "systemd's units",
    text: "A unit is not as systemd last read it, or another drop-in decides. `systemctl cat UNIT` shows all of them.",
    files: ["provider/services/systemd/"],
  },
  {
    title: "A file that can't be edited safely",
    text: "The file and line are named. It was left as it is: an edit could have meant something else to the service. Correct the line by hand, then repeat.",
    files: ["provider/text/"],
  },
  {
    title: "A run that was refused, disturbed or cut off",
    text: "The message says whether everything was put back. If so, repeat the run. If not, it names the backup: look at that file first. Another run on the same server holds a lock; wait until it has ended.",
    files: ["provider/transaction/"],
  },
  {
    title: "This machine's Node.js",
    text: "Nothing was contacted. `node --version` shows which one is first on PATH; Pulumi starts that one.",
    files: ["provider/node-version"],
  },
  {
    title: "What a preview or a run tells beside that",
    text: "No refusals: what was not read, what restarts, what was left for later.",
    files: ["provider/pulumi/", "provider/cli", "provider/command/"],
  },
];

const HEAD = `# Troubleshooting

Every message says what was found, where, and what to do. Here they stand by their subjects, with what each kind means.
\`…\` is what a run puts in. A message of a preview or an \`up\` begins with the resource's or the server's name.

This page is made from the sources by \`npm run docs\`.
`;

/** @throws Error for a message that is of no kind. */
export function troubleshooting(): string {
  const byTopic = Map.groupBy(messages(), topicOf);
  const parts = TOPICS.map((topic) => {
    const all = [...new Set((byTopic.get(topic) ?? []).map(({ text }) => text))];
    return `## ${topic.title}\n\n${topic.text}\n\n${all.map((text) => `- ${asCode(text)}`).join("\n")}\n`;
  });
  return [HEAD, ...parts].join("\n");
}

function topicOf({ file, text }: Message): Topic {
  const topic = TOPICS.find(({ files }) => files.some((begin) => file.startsWith(begin)));
  if (!topic) throw new Error(`${file}: "${text}" is of no kind: name its file in test/support/troubleshooting.ts`);
  return topic;
}

/** As it is, whatever it looks like to Markdown. */
const asCode = (text: string): string => (text.includes("`") ? `\`\` ${text} \`\`` : `\`${text}\``);
