/** An output that cannot be written. Where it is a pipe whose reader went away, nothing is wrong: the run goes on without it. */
export class OutputError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'OutputError';
  }
}

/** Who read our standard output has gone (`| head`): the caller detaches and says nothing. */
export class OutputClosedError extends OutputError {
  constructor(options?: ErrorOptions) {
    super('nobody reads the output any more', options);
    this.name = 'OutputClosedError';
  }
}
