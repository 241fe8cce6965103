/**
 * The formats of stored definitions. A release that does not know a format leaves the definitions in it, and their
 * executions, to other processes. So a definition is stored in the oldest format that can express it: after an upgrade,
 * definitions without nodes and limits keep their ids, and processes of the older release run them too.
 */

/** Workflows whose tasks all have handlers and no limit, that no event starts, and that have no admission. */
const PLAIN_FORMAT = 1;
/** Workflows with nodes, which have no handlers, with limits or an admission, or that events start. */
const EXTENDED_FORMAT = 2;

/** The formats that this release reads. */
export const READABLE_FORMATS: readonly number[] = [PLAIN_FORMAT, EXTENDED_FORMAT];

/** The format in which a definition is stored. It is part of the hash. */
export function formatOf({ tasks, startsOn, admission }: FormattedDefinition): number {
  const isPlain =
    startsOn === undefined &&
    admission === undefined &&
    tasks.every(({ node, limit }) => node === undefined && limit === undefined);
  return isPlain ? PLAIN_FORMAT : EXTENDED_FORMAT;
}

interface FormattedDefinition {
  readonly tasks: readonly { readonly node?: unknown; readonly limit?: unknown }[];
  readonly startsOn?: unknown;
  readonly admission?: unknown;
}
