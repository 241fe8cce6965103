import type { ModulesContainer } from '@nestjs/core';
import { parseTenantToken } from '../cloacina.tokens.js';
import { ConfigurationError, isError } from '../errors/index.js';
import { unavailableTenant } from '../tenants/hosting/unavailable-tenant.js';
import { findUnknownTenants, tenantsOf, type UnknownTenantSite } from './injection-problems.js';
import { INJECTION_HELP } from './registration.js';
import { findUnknownRepositories } from './repository-problems.js';
import { TENANT_PARTS } from './tenant-parts.js';

/**
 * Explains injections that fail: by the name of an unknown tenant (`@InjectRunner('acme')` when the tenant is
 * `tenant_acme`), and of the repository of a tenant's entity without the name of the tenant.
 *
 * Nest instantiates the providers of all modules at the same time, so it may have failed a consumer already. The boot then
 * ends with Nest's "can't resolve dependencies". The explanation is added to that error, which reaches the caller some
 * steps later. A consumer that Nest resolves afterwards gets a stand-in, and the boot ends with a ConfigurationError that
 * contains the explanation.
 */
export function helpWithInjections(modules: ModulesContainer): readonly UnknownTenantSite[] {
  const tenants = tenantsOf(modules);
  const sites = [
    ...findUnknownTenants(modules, tenants),
    ...findUnknownRepositories(modules, tenants),
  ];
  for (const { provider, problem } of sites) {
    void provider.settlementSignal?.asPromise().then((error: unknown) => {
      if (isError(error)) addHelp(error, problem);
    });
  }
  provideStandIns(modules, sites);
  return sites;
}

/** Changes the stack too: consoles print the stack, and it contains the original message. */
function addHelp(error: Error, problem: string): void {
  const { message } = error;
  if (message.includes(problem)) return;
  error.message = `${message}\n\nnestjs-cloacina: ${problem}`;
  error.stack = error.stack?.replace(message, () => error.message);
  error.cause ??= new ConfigurationError([problem]);
}

function provideStandIns(modules: ModulesContainer, sites: readonly UnknownTenantSite[]): void {
  const own = [...modules.values()].find(({ providers }) => providers.has(INJECTION_HELP));
  for (const { token, problem } of sites) {
    const parts = unavailableTenant(() => new ConfigurationError([problem]));
    const type = parseTenantToken(token)?.type;
    const part = TENANT_PARTS.find((known) => known.type === type);
    if (part === undefined) continue;
    own?.addProvider({ provide: token, useValue: part.read(parts) });
    own?.exports.add(token);
  }
}
