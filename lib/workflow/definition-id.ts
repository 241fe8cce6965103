/**
 * The id of a definition, from its hash: the first 63 bits, as PostgreSQL writes a bigint. So a definition has the same
 * id in every schema and on every server, and in a database that lost what was stored last: an id can't come to mean
 * another workflow.
 *
 * @param hash - of the definition, in hexadecimal digits
 */
export function definitionIdOf(hash: string): string {
  return (BigInt(`0x${hash.slice(0, 16)}`) & 0x7fff_ffff_ffff_ffffn).toString();
}
