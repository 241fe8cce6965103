import { systemClock, type Clock } from '../runtime/clock.js';

/** Injection token of the time of the dashboard. Tests replace it. */
export const DASHBOARD_CLOCK = Symbol('CloacinaDashboardClock');

export const dashboardClock: { readonly provide: symbol; readonly useValue: Clock } = {
  provide: DASHBOARD_CLOCK,
  useValue: systemClock,
};
