# The standard record, and the shapes of it that outputs ask for. This file is the same for every policy. It uses nothing of Fluentd.

require 'digest'
require 'json'

require_relative 'tributary_names'

module Tributary
  # Makes standard records of lines. `labels` finds out what the API server knows of a pod.
  class Records
    POD_LOG = %r{\A/var/log/pods/([^/_]+)_([^/_]+)_([^/_]+)/([^/]+)/[^/]*\z}.freeze
    NONE = {}.freeze

    def initialize(host, pods)
      @host = host
      @pods = pods
    end

    # The record of a container's line, and the labels of its namespace beside the labels of records; nil for a path that is none.
    # Who wrote it is in the path; only labels, and a static pod's uid, come from the API server.
    def of_container(line)
      match = POD_LOG.match(line.path)
      return nil unless match

      namespace, pod, uid, container = match.captures
      known = @pods.get(namespace, pod, uid)
      record = start(line)
      record['stream'] = line.stream if line.stream
      record['message'] = Tributary.text(line.text)
      record['kubernetes'] = {
        'namespace_name' => namespace,
        'pod_name' => pod,
        'pod_id' => known.uid || uid,
        'container_name' => container,
        'host' => @host,
        'labels' => known.labels
      }
      [record, known.namespace_labels]
    end

    def of_file(line)
      start(line).merge('file' => line.path, 'message' => Tributary.text(line.text), 'kubernetes' => { 'host' => @host })
    end

    # `entry` is the journal's, `levels` those of the priorities 0 to 7.
    def of_journal(time, entry, levels)
      record = { 'time' => Clock.write(time) }
      unit = entry['_SYSTEMD_UNIT']
      record['systemd'] = { 'unit' => Tributary.text(unit) } if unit
      record['message'] = Tributary.text(entry['MESSAGE'].to_s)
      priority = entry['PRIORITY'].to_s
      record['level'] = levels[priority.to_i] if priority.match?(/\A[0-7]\z/)
      record['kubernetes'] = { 'host' => @host }
      record
    end

    private

    def start(line)
      { 'time' => Clock.write(line.time) }
    end
  end

  # What outputs send for a record, by the name of the shape. Each takes the record, its time, and the output's settings.
  module Shapes
    NAMES = %w[plain search otlp splunk datadog syslog line row].freeze

    # The settings of an output, with names that can be filled.
    def self.settings(data)
      data.transform_values { |value| Name.read(value) }
    end

    def self.filled(name, record, time)
      name.is_a?(Name) ? name.of(record, time) : name
    end

    def self.plain(record, _time, _settings)
      record
    end

    # Dots in keys would make fields that are text in one record and an object in another. The same record always has the same id, so
    # that sending it again makes no second document.
    def self.search(record, time, settings)
      shaped = record.dup
      shaped['@timestamp'] = record['time']
      shaped['data'] = undotted(record['data']) if record['data']
      labels = record.dig('kubernetes', 'labels')
      shaped['kubernetes'] = record['kubernetes'].merge('labels' => undotted(labels)) if labels
      id = Digest::SHA256.hexdigest(JSON.generate(record, max_nesting: 0))[0, 40]
      { 'index' => filled(settings['index'], record, time), 'id' => id, 'document' => shaped }
    end

    def self.undotted(value)
      case value
      when Hash then value.to_h { |key, inner| [key.tr('.', '_'), undotted(inner)] }
      when Array then value.map { |inner| undotted(inner) }
      else value
      end
    end

    # Names of OpenTelemetry's semantic conventions for what identifies the source.
    RESOURCE = {
      'namespace_name' => 'k8s.namespace.name',
      'pod_name' => 'k8s.pod.name',
      'pod_id' => 'k8s.pod.uid',
      'container_name' => 'k8s.container.name',
      'host' => 'k8s.node.name'
    }.freeze

    # One element of `resourceLogs`, as OTLP has it in JSON.
    def self.otlp(record, time, settings)
      entry = {
        'timeUnixNano' => (time[0] * 1_000_000_000 + time[1]).to_s,
        'body' => { 'stringValue' => record['message'] || '' },
        'attributes' => attributes(record)
      }
      if record['level']
        entry['severityText'] = record['level']
        number = settings['severityNumbers'][record['level']]
        entry['severityNumber'] = number if number
      end
      { 'resource' => { 'attributes' => resource(record) }, 'scopeLogs' => [{ 'logRecords' => [entry] }] }
    end

    def self.resource(record)
      kubernetes = record['kubernetes']
      named = RESOURCE.filter_map { |key, name| [name, kubernetes[key]] if kubernetes[key] }
      labels = (kubernetes['labels'] || {}).map { |key, value| ["k8s.pod.label.#{key}", value] }
      (named + labels).map { |name, value| attribute(name, value) }
    end

    def self.attributes(record)
      found = []
      found << attribute('log.iostream', record['stream']) if record['stream']
      found << attribute('log.file.path', record['file']) if record['file']
      found << attribute('systemd.unit', record['systemd']['unit']) if record['systemd']
      flatten('data', record['data']) { |name, value| found << attribute(name, value) }
      found
    end

    # Objects and lists are taken apart, as the collector does.
    def self.flatten(name, value, &block)
      case value
      when Hash then value.each { |key, inner| flatten("#{name}.#{key}", inner, &block) }
      when Array then value.each_with_index { |inner, at| flatten("#{name}.#{at}", inner, &block) }
      when nil then nil
      else yield name, value
      end
    end

    def self.attribute(name, value)
      { 'key' => name, 'value' => any(value) }
    end

    def self.any(value)
      case value
      when true, false then { 'boolValue' => value }
      when -(2**63)..(2**63 - 1) then number(value)
      else { 'stringValue' => value.to_s }
      end
    end

    def self.number(value)
      value.is_a?(Integer) ? { 'intValue' => value.to_s } : { 'doubleValue' => value }
    end

    # An event of Splunk's collector.
    def self.splunk(record, time, settings)
      event = { 'time' => format('%<seconds>d.%<nanoseconds>09d', seconds: time[0], nanoseconds: time[1]) }
      event['host'] = record['kubernetes']['host']
      event['index'] = filled(settings['index'], record, time) if settings['index']
      event['sourcetype'] = settings['sourceType'] if settings['sourceType']
      event['event'] = record
      event
    end

    # Names that Datadog gives a meaning, which nothing that was parsed has at the top.
    def self.datadog(record, _time, settings)
      shaped = record.dup
      shaped['timestamp'] = record['time']
      shaped['hostname'] = record['kubernetes']['host']
      shaped['service'] = settings['service'] if settings['service']
      shaped['ddsource'] = settings['source'] if settings['source']
      shaped
    end

    # The end of a time, from the point on.
    MICROSECONDS = /(\.\d{6})\d+Z\z/.freeze

    # A line of RFC 5424 with facility user and severity informational, and the record as JSON in it.
    def self.syslog(record, _time, _settings)
      kubernetes = record['kubernetes']
      host = header(kubernetes['host'], 255)
      application = header(kubernetes['container_name'] || record.dig('systemd', 'unit'), 48)
      # The protocol knows at most microseconds.
      time = record['time'].sub(MICROSECONDS, '\1Z')
      { 'line' => "<14>1 #{time} #{host} #{application} - - - #{JSON.generate(record, max_nesting: 0)}" }
    end

    # A row of BigQuery, which knows microseconds. What has no fixed keys is JSON, which it takes as a text.
    def self.row(record, _time, _settings)
      shaped = record.merge('time' => record['time'].sub(MICROSECONDS, '\1Z'))
      shaped['data'] = JSON.generate(record['data'], max_nesting: 0) if record['data']
      labels = record.dig('kubernetes', 'labels')
      shaped['kubernetes'] = record['kubernetes'].merge('labels' => JSON.generate(labels)) if labels
      shaped
    end

    # CloudWatch takes no longer event, and Fluentd's plugin would drop the whole batch around it.
    LONGEST_LINE = (1 << 20) - 26

    # The record as one text, and where it goes.
    def self.line(record, time, settings)
      text = JSON.generate(record, max_nesting: 0)
      if text.bytesize > LONGEST_LINE
        # Escaped, a byte is at most six.
        short = record['message'].to_s.byteslice(0, 128 << 10).scrub('')
        text = JSON.generate(record.reject { |key, _| key == 'data' }.merge('message' => "#{short}[cut]"), max_nesting: 0)
      end
      group, stream = settings.values_at('group', 'stream')
      { 'line' => text, 'group' => filled(group, record, time), 'stream' => filled(stream, record, time) }.compact
    end

    def self.header(text, longest)
      visible = text.to_s.gsub(/[^!-~]/, '')[0, longest]
      visible.empty? ? '-' : visible
    end
  end
end
