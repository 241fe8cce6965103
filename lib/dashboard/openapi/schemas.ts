// Made by "npm run openapi:update" from lib/dashboard/http-types.ts. Change the types.

/** The schemas of requests and responses, by the name of their types. */
export const SCHEMAS: Readonly<Record<string, object>> = {};
