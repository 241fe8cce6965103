import { CloacinaError } from './cloacina-error.js';
import { didYouMean, listNames } from './did-you-mean.js';

/** Neither the running code nor the tenant's schema has a workflow of this name. */
export class UnknownWorkflowError extends CloacinaError {
  /** The requested name. */
  readonly workflow: string;

  /** @param known - the existing names, for the message and a suggestion */
  constructor(workflow: string, known: readonly string[] = []) {
    super(
      'UNKNOWN_WORKFLOW',
      `There is no workflow ${JSON.stringify(workflow)}.${didYouMean(workflow, known)} Known: ${listNames(known)}. ` +
        'Add its class, or the result of defineWorkflow(), to the providers of a module that the application imports.',
    );
    this.workflow = workflow;
  }
}

/** This process does not serve a tenant of this name. */
export class UnknownTenantError extends CloacinaError {
  /** The requested name. */
  readonly tenant: string;

  /**
   * @param known - the tenants that this process serves, for the message and a suggestion. Omit it if the message goes
   *   to a client, who must not learn the names of other tenants
   */
  constructor(tenant: string, known?: readonly string[]) {
    const name = JSON.stringify(tenant);
    super(
      'UNKNOWN_TENANT',
      known === undefined
        ? `There is no tenant ${name}.`
        : `This process does not serve tenant ${name}.${didYouMean(tenant, known)} Known: ${listNames(known)}. ` +
            'Add it with CloacinaModule.forTenant() or CloacinaTenants.add().',
    );
    this.tenant = tenant;
  }
}

/** The tenant has no schedule of this name. */
export class UnknownScheduleError extends CloacinaError {
  /** The requested name. */
  readonly schedule: string;

  constructor(schedule: string, tenant: string) {
    super(
      'UNKNOWN_SCHEDULE',
      `Tenant "${tenant}" has no schedule ${JSON.stringify(schedule)}. Use schedules.list() to see its schedules.`,
    );
    this.schedule = schedule;
  }
}

/** The option `tenantFrom` found no tenant's name in a request. */
export class NoTenantError extends CloacinaError {
  constructor() {
    super('NO_TENANT', 'The request does not say which tenant it is for.');
  }
}

/** The tenant has no execution of this id: it never existed, was deleted, or belongs to another tenant. */
export class UnknownExecutionError extends CloacinaError {
  /** The id, or the idempotency key if the execution was looked up by it. */
  readonly executionId: string;
  /** The name of the tenant. */
  readonly tenant: string;

  /** @param workflow - if the execution was looked up by its idempotency key: the workflow; `executionId` is then the key */
  constructor(executionId: string, tenant: string, workflow?: string) {
    const which =
      workflow === undefined
        ? `execution ${JSON.stringify(executionId)}. Check the id`
        : `execution of workflow ${JSON.stringify(workflow)} with the idempotency key ` +
          `${JSON.stringify(executionId)}. Check the key, start the execution first or with orStart`;
    super(
      'UNKNOWN_EXECUTION',
      `Tenant ${JSON.stringify(tenant)} has no ${which}, and use the runner of the tenant that started the execution.`,
    );
    this.executionId = executionId;
    this.tenant = tenant;
  }
}

/**
 * This process no longer serves the tenant, because it removed the tenant or shut it down before or during the call.
 * The schema and its data are untouched. A start that was under way may be stored: repeat it in another process with
 * the same idempotency key.
 */
export class TenantRemovedError extends CloacinaError {
  /** The name of the tenant. */
  readonly tenant: string;

  constructor(tenant: string) {
    super(
      'TENANT_REMOVED',
      `This process no longer serves tenant ${JSON.stringify(tenant)}: it was removed or shut down here. Its data is ` +
        'untouched, and its executions continue in processes that serve it.',
    );
    this.tenant = tenant;
  }
}
