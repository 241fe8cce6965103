/** Prefix of the comment on the history table that stores a tenant's name, if it differs from the schema. */
export const TENANT_NAME_PREFIX = 'tenant: ';

/** The tenant's name in a comment on the history table. */
export function tenantNameIn(comment: string | null): string | undefined {
  return comment?.startsWith(TENANT_NAME_PREFIX) === true
    ? comment.slice(TENANT_NAME_PREFIX.length)
    : undefined;
}
