# Does what the rendered scripts do with records: reads a list of {"pipeline", "records"} and writes what becomes of each record.
# The first argument is the directory of the scripts.

require 'json'

%w[tributary_pipeline tributary_lines tributary_records].each { |script| require File.join(ARGV.fetch(0), script) }

cases = JSON.parse($stdin.read)
results = cases.map do |one|
  pipeline = one['pipeline']
  selection = Tributary::Conditions.new(pipeline['selection'])
  steps = Tributary::Steps.new(pipeline['steps'], Tributary::Levels.new(pipeline['levels']))
  outputs = pipeline['outputs'].map do |output|
    [Tributary::Conditions.new(output['where']), Tributary::Shapes.method(output['shape']), Tributary::Shapes.settings(output['settings'])]
  end
  one['records'].map do |record|
    # The scripts get bytes.
    record['message'] = Tributary.text(record['message'].b) if record['message']
    next nil unless selection.met?(record)

    record = steps.apply(record)
    record = Tributary.ordered(record) if record
    record && outputs.map { |where, shape, settings| where.met?(record) ? shape.call(record, [1_767_323_045, 678_901_234], settings) : nil }
  end
end
puts JSON.generate(results, max_nesting: 0)
