import { cargoRules, passengerRules, type RowRule } from '../airports/row-rules.js';
import type { Place } from '../airports/to-airport.js';

/** What is particular about a customer. */
export interface TenantProfile {
  /** The name by which it is injected and addressed. */
  readonly name: string;
  readonly schema: string;
  readonly title: string;
  /** Where its distances are measured from. */
  readonly base: Place & { readonly city: string };
  readonly rules: readonly RowRule[];
}

export const acme: TenantProfile = {
  name: 'acme',
  schema: 'tenant_acme',
  title: 'Acme Airways, passengers',
  base: { city: 'Lisbon', latitude: 38.7813, longitude: -9.13592 },
  rules: passengerRules,
};

export const globex: TenantProfile = {
  name: 'globex',
  schema: 'tenant_globex',
  title: 'Globex Cargo, freight',
  base: { city: 'Singapore', latitude: 1.35019, longitude: 103.994003 },
  rules: cargoRules,
};

export const profiles: readonly TenantProfile[] = [acme, globex];
