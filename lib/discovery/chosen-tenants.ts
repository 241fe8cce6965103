import { formatValue, listOf } from '../errors/option-checks.js';

/** Which tenants something in the code is for: those of a list, or those that a function accepts. */
export type ChosenTenants = readonly string[] | ((tenant: string) => boolean);

const isList = (value: unknown): value is readonly string[] => Array.isArray(value);
const names = listOf('names of tenants', (one) => typeof one === 'string' && one !== '');

/** What is wrong with a choice, as a clause that follows the option's name. */
export function chosenTenantsProblem(value: unknown): string | undefined {
  if (isList(value)) return names(value);
  return typeof value === 'function'
    ? undefined
    : `must be a function or a list of names, not ${formatValue(value)}`;
}

/** @param chosen - a valid choice. Default: all tenants */
export function isChosen(chosen: ChosenTenants | undefined, tenant: string): boolean {
  if (chosen === undefined) return true;
  return isList(chosen) ? chosen.includes(tenant) : chosen(tenant);
}

/** Whether two choices are known to have no tenant in common, which only lists tell before there are tenants. */
export function areDisjoint(a: ChosenTenants | undefined, b: ChosenTenants | undefined): boolean {
  return isList(a) && isList(b) && !a.some((tenant) => b.includes(tenant));
}
