/** What is wrong with one environment variable. The message never holds the value of a secret. */
export type Fault = { variable: string; message: string };

/** Everything that is wrong with the configuration, at once. */
export class ConfigFaults extends Error {
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    const lines = faults.map(({ variable, message }) => `  ${variable}: ${message}`);
    super(
      `The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${lines.join('\n')}`,
    );
    this.name = 'ConfigFaults';
    this.faults = faults;
  }
}
