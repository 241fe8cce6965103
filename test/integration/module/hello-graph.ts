import type { DynamicModule, INestApplication } from '@nestjs/common';
import {
  AbstractGraphQLDriver,
  GraphQLModule,
  GraphQLSchemaHost,
  Query,
  Resolver,
} from '@nestjs/graphql';
import { graphql } from 'graphql';

@Resolver()
export class HelloGraph {
  @Query(() => String) hello(): string {
    return 'world';
  }
}

/** A driver that makes the schema from what it finds and serves no requests. */
class SchemaDriver extends AbstractGraphQLDriver {
  start(): Promise<void> {
    return Promise.resolve();
  }
  stop(): Promise<void> {
    return Promise.resolve();
  }
}

export function helloGraphModule(): DynamicModule {
  return GraphQLModule.forRoot({ driver: SchemaDriver, autoSchemaFile: true });
}

export async function helloOverGraphQL(app: INestApplication): Promise<unknown> {
  const { schema } = app.get(GraphQLSchemaHost);
  const { data } = await graphql({ schema, source: '{ hello }' });
  return data?.['hello'];
}
