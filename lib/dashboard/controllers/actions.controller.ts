import { Body, HttpCode, HttpStatus, Inject, Logger, Param, Post, Req } from '@nestjs/common';
import type { TenantRequest } from '../../cloacina.callbacks.js';
import { defineSignal, definedSignal } from '../../discovery/message-definitions.js';
import type { BulkFilter, BulkOptions, BulkResult } from '../../runner/bulk/bulk-options.js';
import type { Tenant } from '../../tenants/hosting/tenant.js';
import { DashboardAccess } from '../access.js';
import type { ActionResponse } from '../http-types.js';
import { ExecutionViews } from '../executions.js';
import { Overviews } from '../overviews.js';
import { DashboardProblem } from '../problem.js';
import { bodyOf, choice, conditionsOf, date, flag, invalid, text, type Fields } from '../query.js';

/** The option as a property, unless it is undefined. */
function given<K extends string, const V extends string | boolean>(
  name: K,
  value: V | undefined,
): { [P in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { [P in K]?: V });
}

/** What a bulk call returned: numbers, or the handle of the execution that does the work. */
function responseOf(reply: object): ActionResponse {
  if ('matched' in reply) {
    const { matched, changed, isCapped } = reply as BulkResult;
    return { matched, changed, ...given('isCapped', isCapped) };
  }
  return { executionId: String(Reflect.get(reply, 'id')) };
}

const OVERLAPS = ['allow', 'cancelPrevious', 'queue', 'skip'] as const;
/** How far a dry run counts. */
const DRY_RUN_CAP = 10_000;

/** What the log says before an action that changes nothing. */
function counted({ dryRun }: { dryRun?: boolean }): string {
  return dryRun === true ? 'dry run: ' : '';
}

/**
 * What the user changes. Each action is logged with the user, and stored with the user by the runner: in the history of an
 * execution, or among the actions of the tenant.
 */
export class ActionsController {
  private readonly logger = new Logger('CloacinaDashboard');

  constructor(
    @Inject(DashboardAccess) private readonly access: DashboardAccess,
    @Inject(Overviews) private readonly overviews: Overviews,
    @Inject(ExecutionViews) private readonly views: ExecutionViews,
  ) {}

  @Post('executions/:id/cancel')
  @HttpCode(200)
  cancel(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('id') id: string,
    @Body() body: unknown,
  ): Promise<ActionResponse> {
    return this.act(request, name, `cancel execution ${id}`, async ({ runner }, by) => {
      await runner.cancel(id, { ...given('reason', text(bodyOf(body), 'reason')), ...by });
    });
  }

  @Post('executions/:id/pause')
  @HttpCode(200)
  pause(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('id') id: string,
    @Body() body: unknown,
  ): Promise<ActionResponse> {
    return this.act(request, name, `pause execution ${id}`, async ({ runner }, by) => {
      const fields = bodyOf(body);
      const tree = given('tree', flag(fields, 'tree'));
      await runner.pause(id, { ...given('reason', text(fields, 'reason')), ...tree, ...by });
    });
  }

  @Post('executions/:id/resume')
  @HttpCode(200)
  resume(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('id') id: string,
    @Body() body: unknown,
  ): Promise<ActionResponse> {
    return this.act(request, name, `resume execution ${id}`, async ({ runner }, by) => {
      await runner.resume(id, { ...given('tree', flag(bodyOf(body), 'tree')), ...by });
    });
  }

  @Post('executions/:id/retry')
  @HttpCode(200)
  retry(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('id') id: string,
    @Body() body: unknown,
  ): Promise<ActionResponse> {
    return this.act(request, name, `retry execution ${id}`, async ({ runner }, by) => {
      const fields = bodyOf(body);
      await runner.retry(id, {
        ...given('steps', choice(fields, 'steps', ['keep', 'discard'])),
        ...given('items', choice(fields, 'items', ['failed', 'all'])),
        ...by,
      });
    });
  }

  @Post('executions/:id/signal')
  @HttpCode(200)
  signal(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('id') id: string,
    @Body() body: unknown,
  ): Promise<ActionResponse> {
    return this.act(request, name, `signal execution ${id}`, async ({ runner }, by) => {
      const fields = bodyOf(body);
      const signal = text(fields, 'name');
      if (signal === undefined) throw invalid('name must be the name of a signal.');
      // The code's definition checks the payload by its schema.
      const definition = definedSignal(signal) ?? defineSignal(signal);
      const key = given('idempotencyKey', text(fields, 'idempotencyKey'));
      await runner.signal(id, definition, fields['payload'], { ...key, ...by });
    });
  }

  @Post('bulk')
  @HttpCode(200)
  bulk(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Body() body: unknown,
  ): Promise<ActionResponse> {
    const fields = bodyOf(body);
    const action = choice(fields, 'action', ['cancel', 'pause', 'resume', 'retry']);
    if (action === undefined) throw invalid('action must be cancel, pause, resume or retry.');
    const filter = filterOf(bodyOf(fields['filter']));
    const isDryRun = flag(fields, 'dryRun');
    const dryRun = given('dryRun', isDryRun);
    const cap = isDryRun === true ? { cap: DRY_RUN_CAP } : {};
    const shown = JSON.stringify(this.views.values.whole(filter));
    const what = `${counted(dryRun)}${action} executions ${shown}`;
    return this.act(request, name, what, async ({ runner }, by) => {
      const plain: BulkOptions & { actor?: string } = { ...dryRun, ...cap, ...by };
      const reasoned = { ...plain, ...given('reason', text(fields, 'reason')) };
      switch (action) {
        case 'cancel':
          return responseOf(await runner.cancelMany(filter, reasoned));
        case 'pause':
          return responseOf(await runner.pauseMany(filter, reasoned));
        case 'resume':
          return responseOf(await runner.resumeMany(filter, plain));
        case 'retry':
          return responseOf(await runner.retryMany(filter, plain));
      }
    });
  }

  @Post('failures/:group/retry')
  @HttpCode(200)
  retryGroup(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('group') id: string,
    @Body() body: unknown,
  ): Promise<ActionResponse> {
    const dryRun = given('dryRun', flag(bodyOf(body), 'dryRun'));
    return this.act(
      request,
      name,
      `${counted(dryRun)}retry failures ${id}`,
      async ({ runner }, by) => {
        const { groups } = await runner.statistics.failures();
        const group = groups.find((one) => one.id === id);
        if (group === undefined) {
          const detail = 'The tenant no longer has such a group of failures.';
          throw new DashboardProblem(HttpStatus.NOT_FOUND, 'UNKNOWN_FAILURES', detail);
        }
        return responseOf(await runner.retryMany(group.filter, { ...dryRun, ...by }));
      },
    );
  }

  @Post('schedules/:schedule/run')
  @HttpCode(200)
  run(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('schedule') schedule: string,
  ): Promise<ActionResponse> {
    return this.act(request, name, `run schedule ${schedule}`, async ({ runner }, by) => {
      const { id } = await runner.schedules.runNow(schedule, by);
      return { executionId: id };
    });
  }

  @Post('schedules/:schedule/pause')
  @HttpCode(200)
  pauseSchedule(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('schedule') schedule: string,
    @Body() body: unknown,
  ): Promise<ActionResponse> {
    return this.act(request, name, `pause schedule ${schedule}`, async ({ runner }, by) => {
      const reason = given('reason', text(bodyOf(body), 'reason'));
      await runner.schedules.pause(schedule, { ...reason, ...by });
    });
  }

  @Post('schedules/:schedule/resume')
  @HttpCode(200)
  resumeSchedule(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('schedule') schedule: string,
    @Body() body: unknown,
  ): Promise<ActionResponse> {
    return this.act(request, name, `resume schedule ${schedule}`, async ({ runner }, by) => {
      const catchUp = choice(bodyOf(body), 'catchUp', ['skip', 'once']);
      await runner.schedules.resume(schedule, { ...given('catchUp', catchUp), ...by });
    });
  }

  @Post('schedules/:schedule/backfill')
  @HttpCode(200)
  backfill(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('schedule') schedule: string,
    @Body() body: unknown,
  ): Promise<ActionResponse> {
    const fields = bodyOf(body);
    const [from, to] = [date(fields, 'from'), date(fields, 'to')];
    if (from === undefined || to === undefined) throw invalid('from and to must be times.');
    const dryRun = given('dryRun', flag(fields, 'dryRun'));
    const what = `${counted(dryRun)}backfill schedule ${schedule}`;
    return this.act(request, name, what, async ({ runner }, by) => {
      const options = {
        from,
        to,
        ...given('overlap', choice(fields, 'overlap', OVERLAPS)),
        ...dryRun,
        ...by,
      };
      return responseOf(await runner.schedules.backfill(schedule, options));
    });
  }

  @Post('workflows/:workflow/pause')
  @HttpCode(200)
  pauseWorkflow(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('workflow') workflow: string,
    @Body() body: unknown,
  ): Promise<ActionResponse> {
    return this.act(request, name, `pause workflow ${workflow}`, async ({ runner }, by) => {
      const reason = given('reason', text(bodyOf(body), 'reason'));
      await runner.pauseWorkflow(workflow, { ...reason, ...by });
    });
  }

  @Post('workflows/:workflow/resume')
  @HttpCode(200)
  resumeWorkflow(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('workflow') workflow: string,
  ): Promise<ActionResponse> {
    return this.act(request, name, `resume workflow ${workflow}`, async ({ runner }, by) => {
      await runner.resumeWorkflow(workflow, by);
    });
  }

  /** Checks the tenant before any response depends on its content, and logs the user and the action. */
  private async act(
    request: TenantRequest,
    name: string,
    what: string,
    work: (tenant: Tenant, by: { actor?: string }) => Promise<ActionResponse | void>,
  ): Promise<ActionResponse> {
    const tenant = await this.access.tenant(request, name);
    const by = given('actor', await this.access.actor(request));
    const response = (await work(tenant, by)) ?? {};
    this.overviews.changed(name);
    const who = by.actor === undefined ? 'A user' : JSON.stringify(by.actor);
    this.logger.log(`${who}: ${oneLine(what)} of tenant ${JSON.stringify(name)}`);
    return response;
  }
}

/** Parts of it come from the URL, and must not look like another line of the log. */
function oneLine(what: string): string {
  return what.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 500);
}

function filterOf({ all, ...fields }: Fields): BulkFilter {
  return { ...conditionsOf(fields), ...(all === true ? { all } : {}) };
}
