import { tmpdir } from 'node:os';
import path from 'node:path';
import { plainToInstance, Transform } from 'class-transformer';
import { IsInt, IsNotEmpty, IsOptional, IsString, Max, Min, validateSync } from 'class-validator';

/** The environment variables that the application reads. */
export class Environment {
  /** Default: the first free port from 3000 on. */
  @IsOptional()
  @Transform(({ value }) => (value === undefined || value === '' ? undefined : Number(value)))
  @IsInt()
  @Min(0)
  @Max(65_535)
  PORT?: number;

  @IsString()
  @IsNotEmpty()
  DATABASE_URL!: string;

  /** The folder with a folder for each customer, into which files with imports are dropped. */
  @Transform(({ value }) => (value === '' ? undefined : value))
  @IsString()
  @IsNotEmpty()
  INBOX: string = path.join(tmpdir(), 'cloacina-sample-inbox');
}

export function validateEnvironment(variables: Record<string, unknown>): Environment {
  const environment = plainToInstance(Environment, variables, { exposeDefaultValues: true });
  const errors = validateSync(environment);
  if (errors.length === 0) return environment;
  const problems = errors.flatMap(({ constraints = {} }) => Object.values(constraints));
  throw new Error(`The environment variables are not valid: ${problems.join('; ')}.`);
}
