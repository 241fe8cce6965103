import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A table whose key makes a second commit of the same task an error, on whichever server it is. */
export class CreateEffects1700000000001 implements MigrationInterface {
  readonly name = 'CreateEffects1700000000001';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      'CREATE TABLE effect (execution_id uuid, task text, port integer, PRIMARY KEY (execution_id, task))',
    );
  }

  async down(): Promise<void> {
    // It is never run here.
  }
}
