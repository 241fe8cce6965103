import { computed, signal } from '@preact/signals';
import type { Session } from '../../../lib/dashboard/http-types.js';
import { place } from './router.js';

export const session = signal<Session | undefined>(undefined);

const lastTenant = signal(localStorage.getItem('cloacina.tenant') ?? '');

/** The tenant of the page: that of the address, else the last one, else the first. */
export const tenant = computed(() => {
  const [first, named] = place.value.segments;
  if (first === 't' && named !== undefined) return named;
  const names = session.value?.tenantNames ?? [];
  return names.includes(lastTenant.value) ? lastTenant.value : names[0];
});

export function rememberTenant(name: string): void {
  lastTenant.value = name;
  localStorage.setItem('cloacina.tenant', name);
}

export type Theme = 'system' | 'light' | 'dark';

export const theme = signal<Theme>(readTheme());

function readTheme(): Theme {
  const stored = localStorage.getItem('cloacina.theme');
  return stored === 'light' || stored === 'dark' ? stored : 'system';
}

export function setTheme(next: Theme): void {
  theme.value = next;
  localStorage.setItem('cloacina.theme', next);
  applyTheme();
}

export function applyTheme(): void {
  if (theme.value === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme.value;
}
