/** The schemas of requests and responses, by the name of their types. */
export const SCHEMAS: Readonly<Record<string, object>> = {};
