import type { CloacinaTelemetry } from '../../lib/events/telemetry.js';
import { traceWith } from '../../lib/runtime/untraced.js';
import { ApplicationHooks } from '../../lib/tenants/hosting/application-hooks.js';

/** What the module makes of the option `telemetry`. */
export function hooksOf(telemetry: CloacinaTelemetry | undefined): ApplicationHooks {
  const hooks = new ApplicationHooks();
  if (telemetry === undefined) return hooks;
  traceWith(telemetry);
  hooks.telemetry = telemetry;
  if (telemetry.isMeasuring) hooks.listeners.add(telemetry.listener);
  return hooks;
}
