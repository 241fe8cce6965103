export {
  checkServerSchemas,
  checkTenantNames,
  checkTenants,
  checkTenantSchemas,
} from './check-tenants.js';
export { atServer, serverProblems } from './server-options.js';
export { optionsAt, serversOf } from './options-at.js';
export { resolveSharedOptions, type ResolvedSharedOptions } from './shared-options.js';
export { ownerOf, resolveTenantOptions, type ResolvedTenantOptions } from './tenant-options.js';
