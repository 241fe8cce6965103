import { cargoRules, passengerRules, type RowRule } from '../airports/row-rules.js';
import type { Place } from '../airports/to-airport.js';

/** The settings of a customer. */
export interface TenantProfile {
  /** The name by which it is injected and addressed. */
  readonly name: string;
  readonly schema: string;
  readonly title: string;
  /** The place from which its distances are measured. */
  readonly base: Place & { readonly city: string };
  readonly rules: readonly RowRule[];
  /** Number of rows of its first import. Default: all. */
  readonly firstRows?: number;
  /** Whether it has a database login of its own, which can use its schema and nothing else. */
  readonly hasOwnLogin?: boolean;
}

const lisbon = { city: 'Lisbon', latitude: 38.7813, longitude: -9.13592 };
const singapore = { city: 'Singapore', latitude: 1.35019, longitude: 103.994003 };

/** The first customer of the application, from a time when it had no other. Its tables are still in `public`. */
const legacy: TenantProfile = {
  name: 'legacy',
  schema: 'public',
  title: 'Legacy Flying Club, from before there were tenants',
  base: lisbon,
  rules: passengerRules,
  firstRows: 500,
};

const acme: TenantProfile = {
  name: 'acme',
  schema: 'tenant_acme',
  title: 'Acme Airways, passengers',
  base: lisbon,
  rules: passengerRules,
};

const globex: TenantProfile = {
  name: 'globex',
  schema: 'tenant_globex',
  title: 'Globex Cargo, freight',
  base: singapore,
  rules: cargoRules,
};

/** A customer whose contract requires a database login of its own. */
export const initech: TenantProfile = {
  name: 'initech',
  schema: 'tenant_initech',
  title: 'Initech Charter, with a login of its own',
  base: singapore,
  rules: cargoRules,
  hasOwnLogin: true,
  firstRows: 500,
};

/** The customers on the application's login that are known at boot. */
export const onSharedLogin: readonly TenantProfile[] = [legacy, acme, globex];

const known = new Map([...onSharedLogin, initech].map((profile) => [profile.name, profile]));

const SCHEMA_PREFIX = 'tenant_';

/** The settings of a customer by name. A customer that signed up at run time is a small airline. */
export function profileOf(name: string): TenantProfile {
  return (
    known.get(name) ?? {
      name,
      schema: `${SCHEMA_PREFIX}${name}`,
      title: `${name}, which has signed up`,
      base: lisbon,
      rules: passengerRules,
      firstRows: 500,
    }
  );
}

/** The name of the customer with this schema, or undefined if no customer has it. */
export function nameOf(schema: string): string | undefined {
  return schema.startsWith(SCHEMA_PREFIX) ? schema.slice(SCHEMA_PREFIX.length) : undefined;
}
