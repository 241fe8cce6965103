import { Injectable } from '@nestjs/common';
import { Task, type TaskContext, Workflow } from 'nestjs-cloacina';

export interface Order {
  price: number;
  quantity: number;
  total?: number;
  shipped?: string;
}

@Workflow({ name: 'order' })
@Injectable()
export class OrderWorkflow {
  @Task()
  charge(context: TaskContext<Order>): { total: number } {
    return { total: context.require('price') * context.require('quantity') };
  }

  @Task({ dependsOn: ['charge'] })
  ship(context: TaskContext<Order>): { shipped: string } {
    return { shipped: `worth ${context.require('total')}` };
  }
}
