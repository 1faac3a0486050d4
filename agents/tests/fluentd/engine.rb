# Runs the scripts that are Fluentd's plugins, with as much of Fluentd as they touch. The first argument is the directory of the scripts.
# Reads {"batches": [[tag, [event, ...]], ...], "full": {LABEL: HOW_OFTEN}, "bodies": [[BODY, [event, ...]], ...], "answers": [ANSWER, ...]}
# and writes what each label and each request got, and what was made of each answer.

require 'json'

require_relative 'fluentd'

# Takes what is emitted, but for the first times.
class Label
  attr_reader :got, :refused, :tags

  def initialize(full)
    @full = full
    @refused = 0
    @got = []
    @tags = []
  end

  def emit_stream(tag, stream)
    if @full.positive?
      @full -= 1
      @refused += 1
      raise Fluent::Plugin::Buffer::BufferOverflowError
    end
    @got.concat(stream.events)
    @tags.concat([tag] * stream.size)
  end
end

directory = ARGV.fetch(0)
%w[out_tributary out_tributary_http].each { |script| require_any File.join(directory, script) }
input = JSON.parse($stdin.read)

labels = Hash.new { |found, name| found[name] = Label.new(input['full'].fetch(name, 0)) }
records = Fluent::Plugin::TributaryOutput.new
records.define_singleton_method(:event_emitter_router) { |name| labels[name] }
records.configure(pipeline: File.join(directory, 'pipeline.json'))
input['batches'].each { |tag, events| records.process(tag, events.map { |event| [Fluent::EventTime.new(1_767_323_045, 5), event] }) }
records.shutdown

Chunk = Struct.new(:read)
bodies = input['bodies'].map do |body, events|
  http = Fluent::Plugin::TributaryHTTPOutput.new
  http.instance_variable_set(:@body, body.to_sym)
  http.send(:create_request, Chunk.new(events.map { |event| http.format('', 0, event) }.join), nil)
end
answers = input['answers'].map do |answer|
  Fluent::Plugin::TributaryHTTPOutput.new.send(:check_items, answer)
  'taken'
rescue Fluent::Plugin::HTTPOutput::RetryableResponse
  'again'
end
outputs = labels.transform_values { |label| { 'got' => label.got, 'refused' => label.refused, 'tags' => label.tags } }
puts JSON.generate('outputs' => outputs, 'bodies' => bodies, 'answers' => answers)
