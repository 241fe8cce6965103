/**
 * The formats of stored definitions. A release that does not know a format leaves the definitions in it, and their
 * executions, to other processes. So a definition is stored in the oldest format that can express it: after an upgrade,
 * definitions without nodes keep their ids, and processes of the older release run them too.
 */

/** Workflows whose tasks all have handlers, and that no event starts. */
const PLAIN_FORMAT = 1;
/** Workflows with nodes, which have no handlers, or that events start. */
const NODE_FORMAT = 2;

/** The formats that this release reads. */
export const READABLE_FORMATS: readonly number[] = [PLAIN_FORMAT, NODE_FORMAT];

/** The format in which a definition is stored. It is part of the hash. */
export function formatOf({ tasks, startsOn }: FormattedDefinition): number {
  const isPlain = startsOn === undefined && tasks.every(({ node }) => node === undefined);
  return isPlain ? PLAIN_FORMAT : NODE_FORMAT;
}

interface FormattedDefinition {
  readonly tasks: readonly { readonly node?: unknown }[];
  readonly startsOn?: unknown;
}
