/** A plain identifier, which can be a label of metrics and a part of CLOACINA_SERVERS. */
const SERVER_NAME = /^[a-z][a-z0-9_-]{0,62}$/i;

/** The rule for names of servers, for messages. */
export const SERVER_NAME_FORM =
  'must be 1 to 63 letters, digits, hyphens and underscores, and begin with a letter';

export function isServerName(name: unknown): name is string {
  return typeof name === 'string' && SERVER_NAME.test(name);
}
