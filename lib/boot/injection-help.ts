import type { ModulesContainer } from '@nestjs/core';
import { parseTenantToken } from '../cloacina.tokens.js';
import { ConfigurationError, isError } from '../errors/index.js';
import { unavailableTenant } from '../tenants/hosting/unavailable-tenant.js';
import { findUnknownTenants, tenantsOf, type UnknownTenantSite } from './injection-problems.js';
import { INJECTION_HELP } from './registration.js';
import { TENANT_PARTS } from './tenant-parts.js';

/**
 * Helps where a tenant is injected by a name that no tenant has: `@InjectRunner('acme')` of `tenant_acme`.
 *
 * Nest instantiates the providers of all modules at the same time. It may have given up a consumer already, and then the
 * boot ends with Nest's "can't resolve dependencies": the sentence that helps is added to that error, which takes some
 * more steps to the caller. A consumer whose turn comes later gets a stand-in, and the boot ends with a ConfigurationError
 * that has the sentence among the others.
 */
export function helpWithInjections(modules: ModulesContainer): readonly UnknownTenantSite[] {
  const sites = findUnknownTenants(modules, tenantsOf(modules));
  for (const { provider, problem } of sites) {
    void provider.settlementSignal?.asPromise().then((error: unknown) => {
      if (isError(error)) addHelp(error, problem);
    });
  }
  provideStandIns(modules, sites);
  return sites;
}

/** Consoles print the stack, which has the message as it was when the error was made. */
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
