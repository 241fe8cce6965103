import {
  Controller,
  Get,
  Injectable,
  type DynamicModule,
  type INestApplication,
  type Type,
} from '@nestjs/common';
import { BullModule, Processor, WorkerHost } from '@nestjs/bullmq';
import { CommandBus, CommandHandler, CqrsModule } from '@nestjs/cqrs';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { ClientsModule, MessagePattern, Server, Transport } from '@nestjs/microservices';
import { Cron, CronExpression, ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { HealthCheckService, TerminusModule, TypeOrmHealthIndicator } from '@nestjs/terminus';
import { getDataSourceToken } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { HelloGraph, helloOverGraphQL, helloGraphModule } from './hello-graph.js';

/** A module of Nest's that walks all providers of an application, with a provider of the application for it to find. */
export interface ExploringModule {
  readonly name: string;
  readonly imports: () => (DynamicModule | Type)[];
  readonly providers?: Type[];
  readonly controllers?: Type[];
  /** Before the application is initialized. */
  readonly prepare?: (app: INestApplication) => void;
  /** Whether it found the provider. `tenant` is the name of one that is served. */
  readonly works: (app: INestApplication, tenant: string) => Promise<boolean>;
}

@Injectable()
class Listener {
  heard: string[] = [];

  @Cron(CronExpression.EVERY_YEAR, { name: 'yearly' })
  yearly(): void {
    this.heard.push('yearly');
  }

  @OnEvent('order.placed')
  placed(): void {
    this.heard.push('placed');
  }
}

class Ship {
  readonly order = 1;
}

@CommandHandler(Ship)
class ShipHandler {
  execute(): Promise<string> {
    return Promise.resolve('shipped');
  }
}

@Controller('health')
class HealthController {
  @Get() check(): string {
    return 'ok';
  }
}

@Controller()
class MessageController {
  @MessagePattern('ping') ping(): string {
    return 'pong';
  }
}

/** A transport without a network: it has been handed the handlers that were found. */
class NoTransport extends Server {
  listen(callback: () => void): void {
    callback();
  }
  close(): void {}
  on(): void {}
  unwrap<T>(): T {
    throw new Error('There is nothing behind it.');
  }
}

@Processor('mails')
class MailProcessor extends WorkerHost {
  process(): Promise<void> {
    return Promise.resolve();
  }
}

/** Of BullMQ's classes, which would connect to Redis when they are made. */
class NoRedis {
  static made: string[] = [];
  constructor(readonly name: string) {
    NoRedis.made.push(name);
  }
  on(): void {}
  close(): Promise<void> {
    return Promise.resolve();
  }
}

let transport: NoTransport | undefined;

export const EXPLORING_MODULES: readonly ExploringModule[] = [
  {
    name: '@nestjs/schedule',
    imports: () => [ScheduleModule.forRoot()],
    providers: [Listener],
    works: async (app) => {
      await app.get(SchedulerRegistry).getCronJob('yearly').fireOnTick();
      return app.get(Listener).heard.join() === 'yearly';
    },
  },
  {
    name: '@nestjs/event-emitter',
    imports: () => [EventEmitterModule.forRoot()],
    providers: [Listener],
    works: async (app) => {
      await app.get(EventEmitter2).emitAsync('order.placed');
      return app.get(Listener).heard.includes('placed');
    },
  },
  {
    name: '@nestjs/cqrs',
    imports: () => [CqrsModule.forRoot()],
    providers: [ShipHandler],
    works: async (app) => (await app.get(CommandBus).execute(new Ship())) === 'shipped',
  },
  {
    name: '@nestjs/swagger',
    imports: () => [],
    controllers: [HealthController],
    works: (app) => {
      const { paths } = SwaggerModule.createDocument(app, new DocumentBuilder().build());
      return Promise.resolve('/health' in paths);
    },
  },
  {
    name: '@nestjs/graphql',
    imports: () => [helloGraphModule()],
    providers: [HelloGraph],
    works: async (app) => (await helloOverGraphQL(app)) === 'world',
  },
  {
    name: '@nestjs/microservices',
    imports: () => [ClientsModule.register([{ name: 'BUS', transport: Transport.TCP }])],
    controllers: [MessageController],
    prepare: (app) => {
      transport = new NoTransport();
      app.connectMicroservice({ strategy: transport });
    },
    works: async (app) => {
      await app.startAllMicroservices();
      return transport?.getHandlerByPattern('ping') !== null && app.get('BUS') !== undefined;
    },
  },
  {
    name: '@nestjs/terminus',
    imports: () => [TerminusModule],
    works: async (app, tenant) => {
      const dataSource = app.get<DataSource>(getDataSourceToken(tenant));
      const orm = await app.resolve(TypeOrmHealthIndicator);
      const health = await app.resolve(HealthCheckService);
      const ping = () => orm.pingCheck('tenant', { connection: dataSource });
      return (await health.check([ping])).status === 'ok';
    },
  },
  {
    name: '@nestjs/bullmq',
    imports: () => {
      NoRedis.made = [];
      BullModule.queueClass = NoRedis;
      BullModule.workerClass = NoRedis;
      return [BullModule.forRoot({ connection: {} }), BullModule.registerQueue({ name: 'mails' })];
    },
    providers: [MailProcessor],
    works: () => Promise.resolve(NoRedis.made.join() === 'mails,mails'),
  },
];
