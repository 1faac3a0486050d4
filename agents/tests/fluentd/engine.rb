# Runs the scripts that are Fluentd's plugins, with as much of Fluentd as they touch. The first argument is the directory of the scripts.
# Reads {"batches": [[tag, [event, ...]], ...], "full": {LABEL: HOW_OFTEN}, "bodies": [[BODY, [event, ...]], ...], "answers": [ANSWER, ...]}
# and writes what each label and each request got, and what was made of each answer.

require 'json'

%w[fluent/plugin/output fluent/plugin/buffer fluent/plugin/out_http].each { |feature| $LOADED_FEATURES << "#{feature}.rb" }

module Kernel
  alias require_any require

  def require(feature)
    feature.start_with?('fluent/') ? true : require_any(feature)
  end
end

module Fluent
  EventTime = Struct.new(:sec, :nsec)
  class ConfigError < StandardError; end
  class UnrecoverableError < StandardError; end

  # A list of events.
  class MultiEventStream
    attr_reader :events

    def initialize = @events = []
    def add(time, event) = @events << [time.to_a, event]
    def size = @events.size
    def empty? = @events.empty?
  end

  module Plugin
    def self.register_output(_name, _plugin); end

    module Buffer
      class BufferOverflowError < StandardError; end
    end

    # What all outputs have.
    class Output
      def self.helpers(*); end
      def self.desc(_text); end
      def self.config_param(name, *, **options) = attr_accessor(name).tap { (@defaults ||= {})[name] = options[:default] }
      def configure(_conf); end
      def start; end
      def shutdown; end
      def stopped? = false
      def sleep(_seconds); end
      def log = self.class::LOG
      def timer_execute(*); end

      LOG = Object.new.tap { |log| %i[warn error].each { |level| log.define_singleton_method(level) { |*| nil } } }
    end

    # What sends by HTTP.
    class HTTPOutput < Output
      class RetryableResponse < StandardError; end

      def create_request(chunk, _uri) = chunk.read
    end
  end
end

# Takes what is emitted, but for the first times.
class Label
  attr_reader :got, :refused

  def initialize(full)
    @full = full
    @refused = 0
    @got = []
  end

  def emit_stream(_tag, stream)
    if @full.positive?
      @full -= 1
      @refused += 1
      raise Fluent::Plugin::Buffer::BufferOverflowError
    end
    @got.concat(stream.events)
  end
end

directory = ARGV.fetch(0)
%w[out_tributary out_tributary_http].each { |script| require_any File.join(directory, script) }
input = JSON.parse($stdin.read)

labels = Hash.new { |found, name| found[name] = Label.new(input['full'].fetch(name, 0)) }
records = Fluent::Plugin::TributaryOutput.new
records.define_singleton_method(:event_emitter_router) { |name| labels[name] }
records.instance_variable_set(:@pipeline, File.join(directory, 'pipeline.json'))
records.configure(nil)
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
outputs = labels.transform_values { |label| { 'got' => label.got, 'refused' => label.refused } }
puts JSON.generate('outputs' => outputs, 'bodies' => bodies, 'answers' => answers)
