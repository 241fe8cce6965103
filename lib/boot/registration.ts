import type { NestModule } from '../discovery/workflow-providers.js';

/** Where options are from: given, made by a factory, or a factory that failed. */
export type OptionsSource = { readonly options: unknown } | { readonly failure: unknown };

/** Every tenant's module provides one of these as a value, so that all tenants are known before any is opened. */
export interface TenantRegistration {
  /** The tenant's name; undefined for an async tenant that was given none. */
  readonly tenant: string | undefined;
  /** What messages call it. */
  readonly owner: string;
  /** The options, when they are known without a factory. */
  readonly given?: { readonly options: unknown };
  /** The number of the call that registered it, by which Nest's `deep-hash` tells modules apart that look the same. */
  readonly call: number;
  /** What is wrong with the call that registered it. */
  readonly problems: readonly string[];
}

/** Every module of forRoot and forRootAsync provides one. */
export interface SharedRegistration {
  /** What is wrong with the call that made it. */
  readonly problems: readonly string[];
  /** The options, when they are known without a factory. */
  readonly given?: OptionsSource;
}

export function isSharedRegistration(value: unknown): value is SharedRegistration {
  return typeof value === 'object' && value !== null && 'problems' in value;
}

export function isTenantRegistration(value: unknown): value is TenantRegistration {
  return isSharedRegistration(value) && 'owner' in value;
}

/** The values of the token in all modules; an application may import a module any number of times. */
export function providedValues(modules: Iterable<NestModule>, token: symbol): unknown[] {
  return [...modules].flatMap((module) => {
    const provider = module.providers.get(token);
    const value: unknown = provider?.instance;
    return value === undefined || value === null ? [] : [value];
  });
}

/** Tokens of the library's own providers, which no application injects. */
export const TENANT_REGISTRATION = Symbol('CloacinaTenantRegistration');
export const SHARED_REGISTRATION = Symbol('CloacinaSharedRegistration');
export const SHARED_OPTIONS = Symbol('CloacinaSharedOptions');
export const TENANT_OPTIONS = Symbol('CloacinaTenantOptions');
export const OPENED_TENANT = Symbol('CloacinaOpenedTenant');
/** Where the process has its time from; a test overrides it. */
export const CLOCKS = Symbol('CloacinaClocks');
export const TENANT_MANAGER = Symbol('CloacinaTenantHost');
/** Provided before all else of the library. */
export const INJECTION_HELP = Symbol('CloacinaInjectionHelp');
