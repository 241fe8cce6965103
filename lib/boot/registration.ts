import type { NestModule } from '../discovery/workflow-providers.js';

/** The source of options: a value, also one that a factory returned, or the failure of a factory. */
export type OptionsSource = { readonly options: unknown } | { readonly failure: unknown };

/** Provided as a value by every tenant's module, so that all tenants are known before any is opened. */
export interface TenantRegistration {
  /** The tenant's name; undefined for an async tenant without one. */
  readonly tenant: string | undefined;
  /** The subject of messages about the tenant. */
  readonly owner: string;
  /** The options, if they were given as a value. */
  readonly given?: { readonly options: unknown };
  /** The number of the registering call, by which Nest's `deep-hash` distinguishes modules that look the same. */
  readonly call: number;
  /** Problems of the registering call. */
  readonly problems: readonly string[];
}

/** Provided by every module of forRoot and forRootAsync. */
export interface SharedRegistration {
  /** Problems of the call. */
  readonly problems: readonly string[];
  /** The options, if they were given as a value. */
  readonly given?: OptionsSource;
}

export function isSharedRegistration(value: unknown): value is SharedRegistration {
  return typeof value === 'object' && value !== null && 'problems' in value;
}

export function isTenantRegistration(value: unknown): value is TenantRegistration {
  return isSharedRegistration(value) && 'owner' in value;
}

/**
 * The values of the token in all modules. Several modules may provide it: an application can import a module
 * repeatedly.
 */
export function providedValues(modules: Iterable<NestModule>, token: symbol): unknown[] {
  return [...modules].flatMap((module) => {
    const provider = module.providers.get(token);
    const value: unknown = provider?.instance;
    return value === undefined || value === null ? [] : [value];
  });
}

// Tokens of the library's own providers, which applications do not inject.
export const TENANT_REGISTRATION = Symbol('CloacinaTenantRegistration');
export const SHARED_REGISTRATION = Symbol('CloacinaSharedRegistration');
export const SHARED_OPTIONS = Symbol('CloacinaSharedOptions');
export const TENANT_OPTIONS = Symbol('CloacinaTenantOptions');
export const OPENED_TENANT = Symbol('CloacinaOpenedTenant');
/** Replaces the clocks and the stores of the process. The test kit provides it; optional. */
export const PLATFORM = Symbol('CloacinaPlatform');
/** The clocks of the process; tests override them. */
export const CLOCKS = Symbol('CloacinaClocks');
export const TENANT_MANAGER = Symbol('CloacinaTenantHost');
/** Provided before all other providers of the library. */
export const INJECTION_HELP = Symbol('CloacinaInjectionHelp');
