/**
 * The id of a definition: the first 63 bits of its hash, written as PostgreSQL writes a bigint. So a definition has the
 * same id in every schema and on every server. An id never comes to mean another workflow, even in a database that lost
 * its last commits.
 *
 * @param hash - the hash of the definition, in hexadecimal digits
 */
export function definitionIdOf(hash: string): string {
  return (BigInt(`0x${hash.slice(0, 16)}`) & 0x7fff_ffff_ffff_ffffn).toString();
}
