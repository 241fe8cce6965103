import { tmpdir } from 'node:os';
import path from 'node:path';
import { plainToInstance, Transform } from 'class-transformer';
import { IsInt, IsNotEmpty, IsOptional, IsString, Max, Min, validateSync } from 'class-validator';

const DEFAULT_INBOX = path.join(tmpdir(), 'cloacina-sample-inbox');

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

  /** The folder with a folder for each customer, for dropped files. Default: in the folder for temporary files. */
  @Transform(({ value }) => (value === '' ? DEFAULT_INBOX : value))
  @IsString()
  INBOX: string = DEFAULT_INBOX;
}

export function validateEnvironment(variables: Record<string, unknown>): Environment {
  const environment = plainToInstance(Environment, variables);
  const errors = validateSync(environment);
  if (errors.length === 0) return environment;
  const problems = errors.flatMap(({ constraints = {} }) => Object.values(constraints));
  throw new Error(`The environment variables are not valid: ${problems.join('; ')}.`);
}
