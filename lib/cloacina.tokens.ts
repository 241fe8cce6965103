import { Inject, type Type } from '@nestjs/common';
import { CloacinaRecovery } from './recovery/cloacina-recovery.js';
import { CloacinaRunner } from './runner/cloacina-runner.js';
import { CloacinaMigrator } from './tenants/migrations/cloacina-migrator.js';

/**
 * An injection token: a string that contains the tenant's name, or the class itself in an application with one tenant.
 */
export type TenantToken<T> = string | symbol | Type<T>;

/** The classes of which each tenant has its own instance, each with the decorator that injects a named tenant's. */
export const CLASS_TOKENS: readonly { readonly type: Type<unknown>; readonly decorator: string }[] =
  [
    { type: CloacinaRunner, decorator: 'InjectRunner' },
    { type: CloacinaMigrator, decorator: 'InjectMigrator' },
    { type: CloacinaRecovery, decorator: 'InjectRecovery' },
  ];

/** The token of a tenant's part, such as `CloacinaRunner:tenant_acme`. Without a tenant it is the class itself. */
export function tenantToken<T>(type: Type<T>, tenant: string | undefined): TenantToken<T> {
  return tenant === undefined ? type : `${type.name}:${tenant}`;
}

/** The class and the tenant's name in a {@link tenantToken}; undefined for any other token, also for a class. */
export function parseTenantToken(
  token: unknown,
): { readonly type: Type<unknown>; readonly tenant: string } | undefined {
  if (typeof token !== 'string') return undefined;
  const separator = token.indexOf(':');
  const name = token.slice(0, Math.max(separator, 0));
  const type = CLASS_TOKENS.map((known) => known.type).find((known) => known.name === name);
  return type === undefined ? undefined : { type, tenant: token.slice(separator + 1) };
}

/**
 * The token of a tenant's {@link CloacinaRunner}, for `useFactory`, `ModuleRef.get` and overrides in tests.
 *
 * @param tenant - the tenant's name. Default: the application's only tenant. If there are several, the boot reports each
 *   place that injects the token
 */
export function getRunnerToken(tenant?: string): TenantToken<CloacinaRunner> {
  return tenantToken(CloacinaRunner, tenant);
}

/** The token of a tenant's {@link CloacinaMigrator}; see {@link getRunnerToken}. */
export function getMigratorToken(tenant?: string): TenantToken<CloacinaMigrator> {
  return tenantToken(CloacinaMigrator, tenant);
}

/** The token of a tenant's {@link CloacinaRecovery}; see {@link getRunnerToken}. */
export function getRecoveryToken(tenant?: string): TenantToken<CloacinaRecovery> {
  return tenantToken(CloacinaRecovery, tenant);
}

/**
 * Injects a tenant's {@link CloacinaRunner}.
 *
 * @example
 * ```ts
 * constructor(@InjectRunner('tenant_acme') private readonly runner: CloacinaRunner) {}
 * ```
 */
export function InjectRunner(tenant?: string): ParameterDecorator & PropertyDecorator {
  return Inject(getRunnerToken(tenant));
}

/** Injects a tenant's {@link CloacinaMigrator}. */
export function InjectMigrator(tenant?: string): ParameterDecorator & PropertyDecorator {
  return Inject(getMigratorToken(tenant));
}

/** Injects a tenant's {@link CloacinaRecovery}. */
export function InjectRecovery(tenant?: string): ParameterDecorator & PropertyDecorator {
  return Inject(getRecoveryToken(tenant));
}
