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
}

export function validateEnvironment(variables: Record<string, unknown>): Environment {
  const environment = plainToInstance(Environment, variables);
  const errors = validateSync(environment);
  if (errors.length === 0) return environment;
  const problems = errors.flatMap(({ constraints = {} }) => Object.values(constraints));
  throw new Error(`The environment variables are not valid: ${problems.join('; ')}.`);
}
