import { Injectable, NotFoundException } from '@nestjs/common';
import type { Execution, ExecutionHandle } from 'nestjs-cloacina';
import { Tenants } from '../tenants/tenants.js';
import { type ApprovalOfOrder, CharterOrder, OrderApproval } from './charter-order.workflow.js';

const ORDER = 'charter-order';

/** Taking and approving orders, for the HTTP API. */
@Injectable()
export class OrdersService {
  constructor(private readonly tenants: Tenants) {}

  start(tenant: string, seats: number): Promise<ExecutionHandle> {
    return this.tenants.get(tenant).runner.start(CharterOrder, { seats });
  }

  /** @param id - an execution id, or `latest` for the newest order */
  async get(tenant: string, id: string): Promise<Execution> {
    const { runner } = this.tenants.get(tenant);
    const latest = async (): Promise<string> =>
      (await runner.list({ workflow: ORDER, limit: 1 })).items[0]?.id ?? '';
    const order = await runner.get(id === 'latest' ? await latest() : id);
    if (order?.workflow === ORDER) return order;
    throw new NotFoundException(`Tenant "${tenant}" has no order "${id}".`);
  }

  /** A second click on the same button is the same approval: its key is the person. */
  async approve(tenant: string, id: string, approval: ApprovalOfOrder): Promise<void> {
    const order = await this.get(tenant, id);
    const { runner } = this.tenants.get(tenant);
    await runner.signal(order.id, OrderApproval, approval, { idempotencyKey: approval.by });
  }
}
