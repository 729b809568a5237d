// Mocha's own `spec` output, closed by one line that people and machines can read: "12 passed, 0 failed".
import mocha from 'mocha';

const { Base, Spec } = mocha.reporters;

export default class Reporter extends Base {
  constructor(runner, options) {
    super(runner, options);
    this.spec = new Spec(runner, options);
    this.again = [];
    runner.on('retry', (test, error) => this.again.push(`${test.fullTitle()}: ${error.message}`));
  }

  // Called after the global teardown, so nothing that it prints can come below the closing line.
  done(failures, callback) {
    const { passes, failures: failed, pending } = this.spec.stats;
    const checks = { passed: listed('CHECKS_PASSED'), failed: listed('CHECKS_FAILED') };
    for (const name of checks.failed) console.log(`  ${name} failed, see above`);
    for (const what of this.again) console.log(`  tried again: ${what}`);
    const skipped = pending > 0 ? `, ${pending} skipped` : '';
    console.log(`${passes + checks.passed.length} passed, ${failed + checks.failed.length} failed${skipped}`);
    callback(failures);
  }
}

function listed(variable) {
  return (process.env[variable] ?? '').split(',').filter((name) => name !== '');
}
