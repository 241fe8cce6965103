import { CloacinaError } from './cloacina-error.js';
import { didYouMean, listNames } from './did-you-mean.js';

/** No workflow of that name is in the running code, nor stored in the tenant's schema. */
export class UnknownWorkflowError extends CloacinaError {
  /** The name that was asked for. */
  readonly workflow: string;

  /** @param known - the names that exist, for the message and a suggestion */
  constructor(workflow: string, known: readonly string[] = []) {
    super(
      'UNKNOWN_WORKFLOW',
      `There is no workflow ${JSON.stringify(workflow)}.${didYouMean(workflow, known)} Known: ${listNames(known)}. ` +
        'Add its class, or what defineWorkflow() built, to the providers of a module that the application imports.',
    );
    this.workflow = workflow;
  }
}

/** No tenant of that name is served by this process. */
export class UnknownTenantError extends CloacinaError {
  /** The name that was asked for. */
  readonly tenant: string;

  /**
   * @param known - the tenants that this process serves, for the message and a suggestion; not given when the message
   * goes to a client, whom they don't concern
   */
  constructor(tenant: string, known?: readonly string[]) {
    const name = JSON.stringify(tenant);
    super(
      'UNKNOWN_TENANT',
      known === undefined
        ? `There is no tenant ${name}.`
        : `This process serves no tenant ${name}.${didYouMean(tenant, known)} Known: ${listNames(known)}. ` +
            'Add it with CloacinaModule.forTenant() or CloacinaTenants.add().',
    );
    this.tenant = tenant;
  }
}

/** A request names no tenant, as the option `tenantFrom` reads it. */
export class NoTenantError extends CloacinaError {
  constructor() {
    super('NO_TENANT', 'The request does not say which tenant it is for.');
  }
}

/** The tenant's schema holds no execution of that id: it never existed, was deleted, or is another tenant's. */
export class UnknownExecutionError extends CloacinaError {
  readonly executionId: string;
  readonly tenant: string;

  constructor(executionId: string, tenant: string) {
    super(
      'UNKNOWN_EXECUTION',
      `Tenant ${JSON.stringify(tenant)} has no execution ${JSON.stringify(executionId)}. ` +
        'Check the id, and that it is asked of the tenant that started it.',
    );
    this.executionId = executionId;
    this.tenant = tenant;
  }
}

/**
 * The tenant was removed or shut down in this process while, or before, the call was made. Its schema and data are
 * untouched. Whether a start that was under way is stored is known from its idempotency key only: start it elsewhere
 * with the same one.
 */
export class TenantRemovedError extends CloacinaError {
  readonly tenant: string;

  constructor(tenant: string) {
    super(
      'TENANT_REMOVED',
      `This process no longer serves tenant ${JSON.stringify(tenant)}: it was removed or shut down here. Its data is ` +
        'untouched, and its executions go on wherever it is served.',
    );
    this.tenant = tenant;
  }
}
