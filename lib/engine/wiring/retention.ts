import { TenantRetention } from '../retention/tenant-retention.js';
import type { EngineCore } from './core.js';

/** The deletion of ended executions. */
export function wireRetention({ given, settings, store, clock, tenant }: EngineCore) {
  const { registry, retention } = given;
  return {
    retention: new TenantRetention({
      tenant,
      clock,
      store,
      settings: settings.retention,
      workflows: () => registry.list(),
      pacer: retention?.pacer,
      archive: retention?.archive,
    }),
  };
}
